"""The whole degradation against runs of the published code, whose every draw is recorded."""

import json

import numpy as np
import pytest
import torch

from esrgan.degradations import blur, noise
from esrgan.degradations.blur import DrawnBlur
from esrgan.degradations.filters import sharpen
from esrgan.degradations.jpeg import DrawnJpeg
from esrgan.degradations.kernels import KernelParameters
from esrgan.degradations.noise import DrawnGaussian, DrawnPoisson
from esrgan.degradations.recipe import Draws, degrade
from esrgan.degradations.resizing import DrawnFinalResize, DrawnResize

RUNS = [*(f"x4_{seed}" for seed in (3, 11, 20, 30, 31, 34)), "x2_30", "net_x4_10", "single_x4_19"]


@pytest.mark.parametrize("run", RUNS)
def test_every_patch_is_that_of_the_published_code(run, golden, images, monkeypatch):
    file = golden(f"pipeline_{run}")
    given = json.loads(str(file["parameters"]))
    gt, scale, size = images(file["gt_u8"]), given["scale"], given["gt_size"]
    top, left = given["crop_top_left_lq"]
    window = (slice(top, top + size // scale), slice(left, left + size // scale))
    of_gt = (slice(top * scale, top * scale + size), slice(left * scale, left * scale + size))
    sharp = sharpen(gt)
    for i in range(len(gt)):
        steps = recorded_steps(file, given, i, monkeypatch)
        lq = degrade(sharp[i : i + 1], Draws(i, tuple(steps)), scale=scale)[0][:, *window].numpy()
        levels = np.abs(lq.astype(int) - file["lq_u8"][i])
        assert (levels == 0).mean() >= 0.99
        assert levels.max() <= 1
        if run.startswith("net"):
            assert np.allclose(sharp[i][:, *of_gt], file["gt_crop"][i], rtol=0, atol=1e-5)
        else:
            crop = gt[i : i + 1][..., *of_gt]
            assert np.array_equal((crop[0] * 255).round().byte(), file["gt_crop"][i])
            assert np.allclose(sharpen(crop)[0], file["gt_usm_crop"][i], rtol=0, atol=1e-5)


def recorded_steps(file, given, i, monkeypatch):
    """The steps of sample i, in the order of the run; kernels and fields are the recorded ones.

    Those are told apart by what a real draw has for them: a size and a key of their own.
    """
    kernels = {1: "kernel1", 2: "kernel2", 3: "sinc_kernel"}
    recorded = lambda p: torch.from_numpy(file[kernels[p.size]][i])  # noqa: E731
    monkeypatch.setattr(blur, "blur_kernel", recorded)
    monkeypatch.setattr(noise, "normal_field", lambda key, shape, device: field(file, key, i))
    monkeypatch.setattr(noise, "poisson_field", lambda key, means, levels: field(file, key, i))

    def blurred(number):
        return f"blur {number}", DrawnBlur(KernelParameters(kind="iso", size=number))

    def noisy(n):
        gray = bool(file[f"noise{n}_gray"][i])
        if given[f"noise{n}"] == "gaussian":
            return "noise", DrawnGaussian(file[f"noise{n}_sigma"][i].item(), gray, n)
        return "noise", DrawnPoisson(file[f"noise{n}_scale"][i].item(), gray, n, True)

    def resized(n):
        drawn = given[f"resize{n}"]
        return "resize", DrawnResize(drawn["scale"], drawn["mode"], of_lq=n == 2, by_factor=n == 1)

    def compressed(n):
        return "jpeg", DrawnJpeg(file[f"jpeg{n}_quality"][i].item(), "simulated", "4:2:0", True)

    first = [blurred(1), resized(1), noisy(1), compressed(1)]
    second = [blurred(2)] * given["blur2"] + [resized(2), noisy(2)]
    final = [("resize", DrawnFinalResize(given["resize3_mode"])), blurred(3)]
    jpeg_first = given["tail"].startswith("jpeg")
    tail = [compressed(2), *final] if jpeg_first else [*final, compressed(2)]
    return first + second + tail


def field(file, n, i):
    gray = "gray" if file[f"noise{n}_gray"][i] else "color"
    kind = "field" if f"noise{n}_field_color" in file else "counts"
    array = torch.from_numpy(file[f"noise{n}_{kind}_{gray}"]).float()
    return array[None, None] if array.ndim == 2 else array[i : i + 1]
