"""What a sample becomes, whatever its batch, its process and the number of threads."""

import numpy as np
import pytest
import torch
from presets import PRESETS, preset

from esrgan.degradations.degrader import Degrade, Degrader, InWorker, SharpenedPairs
from esrgan.degradations.filters import sharpen
from esrgan.degradations.recipe import exactly


def photographs(count: int, size: int = 96) -> np.ndarray:
    """Smooth and textured, (N, size, size, 3) in bytes."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.random((count, 3, 12, 12))).float()
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")
    noisy = smooth.permute(0, 2, 3, 1).numpy() + rng.normal(0, 0.04, (count, size, size, 3))
    return (noisy.clip(0, 1) * 255).astype(np.uint8)


def degrader(name: str, scale: int = 4, seed: int = 5) -> Degrader:
    return Degrader(degradation=preset(name), scale=scale, seed=seed)


def batch(gt: np.ndarray, numbers: list[int], lq=None) -> dict:
    given = [None] * len(numbers) if lq is None else lq
    return {"gt": torch.from_numpy(gt), "lq": given, "number": numbers}


def prepare(of: Degrader, **changes) -> Degrade:
    arguments = {"crop": 96, "patch_size": 48, "sharpened_gt": True, "sharpen_patch": False}
    return Degrade(degrader=of, **{**arguments, **changes})


@pytest.mark.parametrize("name", PRESETS)
def test_a_sample_is_the_same_in_every_batch_and_process(name):
    gt, of = photographs(16), degrader(name, scale=1 if name == "jpeg" else 4)
    step = prepare(of)
    numbers = list(range(100, 116))
    whole = step(batch(gt, numbers), torch.float32)
    for first in range(0, 16, 4):
        part = step(batch(gt[first : first + 4], numbers[first : first + 4]), torch.float32)
        for found, expected in zip(part, whole, strict=True):
            assert torch.equal(found, expected[first : first + 4])
    of_workers = InWorker(degrader=of, everything=True)
    made = [torch.from_numpy(of_workers(image, n)) for image, n in zip(gt, numbers, strict=True)]
    from_workers = step(batch(gt, numbers, made), torch.float32)
    for found, expected in zip(from_workers, whole, strict=True):
        assert torch.equal(found, expected)


def test_threads_change_nothing():
    gt, step = photographs(4), prepare(degrader("published"))
    before = torch.get_num_threads()
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(step(batch(gt, [0, 1, 2, 3]), torch.float32))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert torch.equal(results[0].lq, results[1].lq)


def test_autocast_changes_nothing():
    gt, step = photographs(2), prepare(degrader("published"))
    expected = step(batch(gt, [0, 1]), torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = step(batch(gt, [0, 1]), torch.float32)
    assert torch.equal(found.lq, expected.lq)
    assert torch.equal(found.sharp, expected.sharp)


@pytest.mark.parametrize(
    ("name", "scale"),
    [(n, scale) for n in PRESETS for scale in (1, 2, 3, 4) if n != "jpeg" or scale == 1],
)
def test_lq_and_gt_show_the_same_place_at_every_scale(name, scale):
    """The mean colours of a smooth picture are where they were, within the noise."""
    ramp = np.linspace(30, 220, 96, dtype=np.float32)
    gt = np.stack([np.tile(ramp, (96, 1)), np.tile(ramp[:, None], (1, 96)), np.full((96, 96), 128)])
    gt = np.ascontiguousarray(gt.transpose(1, 2, 0)[None].repeat(24, 0)).astype(np.uint8)
    step = prepare(degrader(name, scale), patch_size=48)
    images = step(batch(gt, list(range(24))), torch.float32)
    assert images.lq.shape == (24, 3, 48 // scale, 48 // scale)
    assert images.gt.shape == images.sharp.shape == (24, 3, 48, 48)
    shrunk = torch.nn.functional.avg_pool2d(images.gt, scale)
    error = (images.lq - shrunk)[:, :2].mean((0, 2, 3)) * 255
    assert error.abs().max() < 3 or name == "published_quirks"  # which shifts them
    assert torch.equal(images.lq * 255, (images.lq * 255).round())


def test_the_sharpened_gt_is_cut_out_of_the_sharpened_image_or_sharpened_itself():
    gt, of = photographs(1), degrader("published")
    whole = torch.from_numpy(gt).permute(0, 3, 1, 2).float() / 255
    top, left = of.degradation.draw_corner(of.seed, 7, 96 // 4 - 12 + 1)
    window = (..., slice(top * 4, top * 4 + 48), slice(left * 4, left * 4 + 48))
    cut = prepare(of)(batch(gt, [7]), torch.float32)
    assert torch.equal(cut.gt, whole[window])
    with exactly():
        assert torch.equal(cut.sharp, sharpen(whole)[window])
        alone = prepare(of, sharpen_patch=True)(batch(gt, [7]), torch.float32)
        assert torch.equal(alone.sharp, sharpen(whole[window]))
    assert torch.equal(alone.lq, cut.lq)
    assert prepare(of, sharpened_gt=False)(batch(gt, [7]), torch.float32).sharp is None


def test_given_images_are_used_and_cut_like_the_made_ones():
    gt, of = photographs(2), degrader("published")
    lq = torch.from_numpy(gt[:, ::4, ::4].copy())
    images = prepare(of)(batch(gt, [3, 4], [lq[0], None]), torch.float32)
    made = prepare(of)(batch(gt, [3, 4]), torch.float32)
    assert torch.equal(images.lq[0], images.gt[0][:, ::4, ::4])
    assert torch.equal(images.lq[1], made.lq[1])


def test_only_real_encoders_need_a_loading_process():
    gt, of = photographs(1)[0], degrader("anime")
    worker = InWorker(degrader=of, everything=False)
    for number in range(30):
        steps = [step for _, step in of.draw(number).steps]
        real = any(getattr(step, "codec", "simulated") != "simulated" for step in steps)
        made = worker(gt, number)
        assert (made is not None) == real
    assert InWorker(degrader=degrader("published"), everything=False)(gt, 0) is None


def test_pairs_are_sharpened():
    gt = torch.from_numpy(photographs(2))
    lq = gt[:, ::4, ::4].contiguous()
    images = SharpenedPairs()({"lq": lq, "gt": gt}, torch.float32)
    assert torch.equal(images.gt * 255, gt.permute(0, 3, 1, 2).float())
    with exactly():
        assert torch.equal(images.sharp[1:], sharpen(images.gt[1:]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop": 40}, r"crop \(40\) is too small for the kernels .* give crop=76 or more"),
        ({"patch_size": 50}, r"patch_size \(50\) must be a multiple of scale \(4\)"),
        (
            {"patch_size": 100},
            r"patch_size \(100\) must .* at most the size that is degraded \(96\)",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        prepare(degrader("published"), **{"patch_size": 40, **changes})


def test_the_smallest_crop_works_and_what_is_smaller_is_refused():
    of = degrader("published")
    least = of.degradation.smallest_crop(4)
    for number in range(60):
        assert of(photographs(1, least)[0], number).shape == (least // 4, least // 4, 3)
    with pytest.raises(ValueError, match=r"72x72 cannot be degraded: .* at least 76"):
        of(photographs(1, 72)[0], 0)
