import cv2
import numpy as np
import pytest
import torch

from esrgan.degradations.filters import filter2d, gaussian_blur, gaussian_taps, sharpen


def test_filter2d_is_that_of_the_published_code(golden, images):
    file = golden("filter2d")
    x, kernels = images(file["input_u8"]), torch.from_numpy(file["kernels21"])
    small = torch.from_numpy(file["kernels7"])
    for found, name in (
        (filter2d(x, kernels), "out_b3"),
        (filter2d(x[:2], kernels[:2]), "out_b2"),
        (filter2d(x[:1], kernels[0]), "out_b1"),
        (filter2d(x[:2], small), "out_b2_k7"),
    ):
        expected = torch.from_numpy(file[name])
        assert torch.allclose(found, expected, rtol=0, atol=2e-6), name


def test_filter2d_correlates_as_opencv_does():
    rng = np.random.default_rng(0)
    image, kernel = rng.random((31, 37, 3), np.float32), rng.random((9, 9), np.float32)
    expected = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    found = filter2d(torch.from_numpy(image).permute(2, 0, 1)[None], torch.from_numpy(kernel))
    assert np.allclose(found[0].permute(1, 2, 0), expected, atol=2e-5)


def test_unsharp_masking_is_that_of_the_published_code(golden, images):
    file = golden("usm")
    x = images(file["input_u8"])
    assert np.allclose(gaussian_taps(51, 8.0), file["gaussian1d"], rtol=0, atol=1e-7)
    blur = gaussian_blur(x, size=51, sigma=8.0)
    assert torch.allclose(blur, torch.from_numpy(file["blur"]), rtol=0, atol=1e-5)
    mask = ((x - blur).abs() * 255 > 10).numpy()
    bits = np.unpackbits(file["mask"])[: mask.size].reshape(file["mask_shape"])
    assert np.array_equal(mask, bits)
    assert torch.allclose(sharpen(x), torch.from_numpy(file["out"]), rtol=0, atol=1e-5)


def test_a_blur_matrix_mirrors_as_opencv_does():
    image = np.random.default_rng(0).random((40, 30, 3), np.float32)
    expected = cv2.GaussianBlur(image, (51, 51), 8.0, borderType=cv2.BORDER_REFLECT_101)
    found = gaussian_blur(torch.from_numpy(image).permute(2, 0, 1)[None], size=51, sigma=8.0)
    assert np.allclose(found[0].permute(1, 2, 0), expected, atol=2e-6)


def test_images_too_small_to_be_mirrored_are_refused():
    with pytest.raises(ValueError, match=r"10x40 are too small for a kernel of 21 .* at least 11"):
        filter2d(torch.zeros(1, 3, 10, 40), torch.ones(21, 21))
