import json
import math

import pytest
import torch

from esrgan.degradations.kernels import KINDS, KernelParameters, blur_kernel


def test_kernels_are_those_of_the_published_code(golden):
    file = golden("kernels")
    for name, given in json.loads(str(file["parameters"])):
        kind = next(k for k in sorted(KINDS, key=len, reverse=True) if name.startswith(k))
        pad_to = given.pop("pad_to", given["size"])
        arguments = {
            "kind": kind,
            "size": given["size"],
            "sigma_x": given.get("sigma_x", given.get("sigma", 1.0)),
            "sigma_y": given.get("sigma_y", 1.0),
            "theta": given.get("theta", 0.0),
            "beta": given.get("beta", 1.0),
            "cutoff": given.get("omega", 1.0),
        }
        kernel = blur_kernel(KernelParameters(**arguments))
        margin = (pad_to - given["size"]) // 2
        padded = torch.nn.functional.pad(kernel, [margin] * 4)
        expected = torch.from_numpy(file[name])
        assert torch.allclose(padded, expected, rtol=0, atol=1e-12), name


@pytest.mark.parametrize("kind", KINDS)
def test_a_kernel_sums_to_one(kind):
    kernel = blur_kernel(KernelParameters(kind=kind, size=9, sigma_x=2, sigma_y=1, theta=0.4))
    assert kernel.sum().item() == pytest.approx(1)


def test_the_angle_turns_the_first_axis_from_right_to_down():
    along = KernelParameters(kind="aniso", size=9, sigma_x=3, sigma_y=0.3)
    flat = blur_kernel(along)
    assert flat[4, 8] > 100 * flat[8, 4]
    steep = blur_kernel(KernelParameters(**{**vars(along), "theta": math.pi / 2}))
    assert torch.allclose(steep, flat.T, atol=1e-12)
