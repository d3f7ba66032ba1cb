import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from esrgan.degradations.resizing import OF_TORCH, resize, resize_by_factor


def test_resizes_are_those_of_the_published_code(golden, images):
    file = golden("resize")
    x = images(file["input_u8"])
    for name, expected in file.items():
        what, _, mode = name.partition("_")
        if mode not in OF_TORCH:
            continue
        index = int(what[-1])
        if what.startswith("factor"):
            found = resize_by_factor(x, file["scale_factors"][index].item(), filter=mode)
        else:
            found = resize(x, tuple(file["sizes"][index].tolist()), filter=mode)
        assert torch.allclose(found, torch.from_numpy(expected), rtol=0, atol=1e-5), name


@pytest.mark.parametrize("size", [(9, 13), (40, 31), (75, 90)])
@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("box", Pillow.Resampling.BOX),
        ("triangle", Pillow.Resampling.BILINEAR),
        ("catmull_rom", Pillow.Resampling.BICUBIC),
        ("lanczos", Pillow.Resampling.LANCZOS),
    ],
)
def test_antialiased_filters_are_those_of_pillow(name, theirs, size):
    image = np.random.default_rng(0).random((40, 50), np.float32)
    expected = np.asarray(Pillow.fromarray(image).resize(size[::-1], theirs))
    found = resize(torch.from_numpy(image)[None, None], size, filter=name)
    assert np.allclose(found[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("name", ["mitchell", "hermite", "gauss"])
def test_the_other_filters_keep_a_flat_image_and_its_middle(name):
    ramp = torch.arange(40.0).expand(1, 1, 30, 40)
    found = resize(ramp, (10, 20), filter=name)
    assert found[0, 0, 5, 9:11].mean().item() == pytest.approx(19.5, abs=1e-4)
    assert torch.allclose(resize(torch.ones(1, 1, 30, 40), (17, 60), filter=name), torch.ones(1))


def test_the_published_factor_shifts_what_a_size_does_not():
    """A ramp of 400 at 0.1524: the right edge is 5.9 pixels off, as the facts computed."""
    ramp = torch.arange(400.0).expand(1, 1, 8, 400)
    by_factor = resize_by_factor(ramp, 0.1524, filter="bilinear")
    by_size = resize(ramp, (1, 60), filter="bilinear")
    assert by_factor.shape[-1] == 60
    difference = (by_size[..., -1] - by_factor[..., -1]).item()
    assert difference == pytest.approx(400 - 60 / 0.1524, rel=0.05)
