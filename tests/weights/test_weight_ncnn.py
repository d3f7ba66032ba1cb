"""What ncnn makes of a network, run here in the way its users run it."""

import re
import sys
from pathlib import Path

import cv2
import ncnn
import numpy as np
import pytest
import torch
from weight_samples import lively

from esrgan.networks import MSRResNet, RRDBNet, SRGANGenerator, SRResNet, SRVGGNetCompact
from esrgan.weights import WeightsError, convertible, load_generator, save_ncnn
from esrgan.weights import ncnn_program as writer

TINY = {"num_features": 8, "num_blocks": 1}
ANIME = "weights/RealESRGAN_x4plus_anime_6B.pth"


SIX_BLOCKS = ((1, False, 1e-4), (4, False, 1e-4), (1, True, 1e-2), (2, True, 1e-2))


def enlarged(path: Path, image: np.ndarray) -> np.ndarray:
    """(3, H, W) in [0, 1], by a program's blobs, which have the names that Upscayl asks for."""
    net = ncnn.Net()
    assert net.load_param(str(path)) == 0
    assert net.load_model(str(path.with_suffix(".bin"))) == 0
    extractor = net.create_extractor()
    image = np.ascontiguousarray(image)
    given = ncnn.Mat(image)
    extractor.input("data", given)
    code, output = extractor.extract("output")
    assert code == 0
    return np.array(output)


def by_pytorch(network, image: np.ndarray) -> np.ndarray:
    """Mirrored up to a multiple of the unshuffle, and cropped, by NumPy."""
    _, height, width = image.shape
    step = getattr(network, "unshuffle", 1)
    missing = ((0, 0), (0, -height % step), (0, -width % step))
    with torch.no_grad():
        sr = network(torch.from_numpy(np.pad(image, missing, "reflect"))[None])[0].numpy()
    return sr[:, : height * network.scale, : width * network.scale]


def photograph(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).random((3, height, width), np.float32)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_odd_sizes_are_as_in_pytorch(tmp_path, scale):
    network = lively(RRDBNet(scale=scale, growth_channels=4, residual_scaling=0.5, **TINY))
    path = tmp_path / f"mine-x{scale}.param"
    assert save_ncnn(path, network, half=False) < 1e-4
    for height, width in ((4, 5), (23, 18), (40, 7)):
        image = photograph(height, width)
        expected = by_pytorch(network, image)
        assert expected.std() > 1e-3
        np.testing.assert_allclose(enlarged(path, image), expected, atol=1e-4)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        f"mine-x{scale}.bin",
        f"mine-x{scale}.param",
    ]


@pytest.mark.parametrize(
    "network",
    [
        SRResNet(scale=4, batch_norm=True, batch_norm_hr=True, **TINY),
        SRVGGNetCompact(scale=2, num_features=8, num_convs=2),
        pytest.param(RRDBNet(scale=8, growth_channels=4, **TINY), marks=pytest.mark.slow),
        pytest.param(RRDBNet(scale=3, batch_norm=True, **TINY), marks=pytest.mark.slow),
        pytest.param(SRGANGenerator(scale=2, **TINY), marks=pytest.mark.slow),
        pytest.param(MSRResNet(scale=3, **TINY), marks=pytest.mark.slow),
        pytest.param(
            SRVGGNetCompact(num_features=8, num_convs=2, activation="leaky_relu"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda network: f"{type(network).__name__}-{network.scale}",
)
def test_every_network_is_as_in_pytorch(tmp_path, network):
    path = tmp_path / f"{network.scale}x_mine.param"
    assert save_ncnn(path, lively(network), half=False) < 1e-4
    image = photograph(11, 14)
    np.testing.assert_allclose(enlarged(path, image), by_pytorch(network, image), atol=1e-4)


def test_half_of_the_size_is_the_default(tmp_path):
    network = lively(SRVGGNetCompact(num_features=32, num_convs=2))
    sizes = {}
    for half in (False, True):
        path = tmp_path / f"{half}-x4.param"
        difference = save_ncnn(path, network, **({} if half else {"half": False}))
        assert difference < (1e-2 if half else 1e-4)
        sizes[half] = path.with_suffix(".bin").stat().st_size
    assert sizes[True] / sizes[False] == pytest.approx(0.5, abs=0.02)


def test_the_network_stays_as_it_is(tmp_path):
    network = lively(SRVGGNetCompact(num_features=8, num_convs=1)).double().train()
    save_ncnn(tmp_path / "a-x4.param", network)
    assert network.training
    assert next(network.parameters()).dtype == torch.float64


@pytest.mark.parametrize(
    ("scale", "half", "tolerance"),
    [
        pytest.param(2, False, 1e-4, marks=pytest.mark.slow),
        pytest.param(4, True, 1e-2, marks=pytest.mark.slow),
        *(pytest.param(*case, marks=pytest.mark.soak) for case in SIX_BLOCKS),
    ],
)
def test_six_blocks_of_every_scale(tmp_path, scale, half, tolerance):
    network = lively(RRDBNet(scale=scale, num_blocks=6))
    path = tmp_path / f"a-x{scale}.param"
    assert save_ncnn(path, network, half=half) < tolerance
    for size in ((24, 24), (19, 33), (40, 21)):
        image = photograph(*size)
        np.testing.assert_allclose(
            enlarged(path, image), by_pytorch(network, image), atol=tolerance
        )


@pytest.mark.slow
@pytest.mark.parametrize(("half", "tolerance"), [(False, 1e-4), (True, 1e-2)])
def test_the_released_weights_enlarge_a_photograph(reference_data, tmp_path, half, tolerance):
    network = load_generator(reference_data / ANIME).eval()
    path = tmp_path / "RealESRGAN_x4plus_anime_6B.param"
    assert save_ncnn(path, network, half=half) < tolerance
    picture = cv2.imread(str(reference_data / "set5/LRbicx4/baby.png"))[..., ::-1]
    image = np.ascontiguousarray(picture.transpose(2, 0, 1)[:, 20:83, 30:95]) / np.float32(255)
    sr, expected = enlarged(path, image), by_pytorch(network, image)
    np.testing.assert_allclose(sr, expected, atol=tolerance)
    levels = (sr.clip(0, 1) * 255).round() - (expected.clip(0, 1) * 255).round()
    assert np.abs(levels).max() <= (1 if not half else 3)


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("mine.param", "no scale in it; the network's is 4"),
        ("mine-x2.param", "x2 in it; the network's is 4"),
        ("mine_x4_from_x2.param", "x2 in it; the network's is 4"),  # where Upscayl finds it first
    ],
)
def test_a_name_that_others_read_wrongly_is_refused(tmp_path, name, about):
    with pytest.raises(ValueError, match=re.escape(about)) as refused:
        save_ncnn(tmp_path / name, SRVGGNetCompact(num_features=4, num_convs=1))
    assert "NAME-x4.param" in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", ["a-x4.param", "a-x4.bin"])
def test_nothing_is_written_over_unasked(tmp_path, there):
    (tmp_path / there).write_text("mine")
    network = lively(SRVGGNetCompact(num_features=4, num_convs=1))
    with pytest.raises(ValueError, match=f"{there} exists"):
        save_ncnn(tmp_path / "a-x4.param", network)
    assert [each.name for each in tmp_path.iterdir()] == [there]
    save_ncnn(tmp_path / "a-x4.param", network, overwrite=True)
    assert (tmp_path / there).read_bytes() != b"mine"


def test_a_program_that_differs_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "expected", lambda network, lq: network(lq).detach() + 2e-4)
    network = lively(SRVGGNetCompact(num_features=4, num_convs=1))
    with pytest.raises(WeightsError, match=r"differ from PyTorch's by 2\.0e-04.* than 1e-04"):
        save_ncnn(tmp_path / "a-x4.param", network, half=False)
    assert not list(tmp_path.iterdir())


class Unknown(torch.nn.Module):
    """Has what ncnn has no layer for."""

    scale = 1

    def __init__(self) -> None:
        super().__init__()
        self.architecture = {"network": "Unknown", "scale": 1}

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        return torch.special.i0(lq)


def test_a_network_that_ncnn_cannot_run_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"a-x1\.param is not written: ncnn cannot run"):
        save_ncnn(tmp_path / "a-x1.param", Unknown())
    assert not list(tmp_path.iterdir())


def test_missing_packages_are_named_with_the_way_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pnnx", None)
    monkeypatch.setattr(convertible, "find_spec", lambda name: None if name == "pnnx" else True)
    with pytest.raises(ValueError, match=r"pnnx must be installed: pip install -e '\.\[ncnn\]'"):
        save_ncnn(tmp_path / "a-x4.param", SRVGGNetCompact(num_features=4, num_convs=1))
