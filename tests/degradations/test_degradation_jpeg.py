import cv2
import numpy as np
import pytest
import torch

from esrgan.degradations.jpeg import _table, encoded, quantised, simulated_jpeg


def test_jpeg_is_that_of_the_published_code(golden, images):
    file = golden("jpeg")
    x = images(file["input48x64_u8"])
    for quality in (30, 49.5, 60, 77.25, 95):
        found = simulated_jpeg(x, quality, transposed=True)
        expected = torch.from_numpy(file[f"out48x64_q{quality}"])
        assert torch.allclose(found, expected, rtol=0, atol=2e-6), quality
    odd = images(file["input45x59_u8"])
    for image, quality, expected in zip(
        odd, file["quality45x59"].tolist(), file["out45x59"], strict=True
    ):
        found = simulated_jpeg(image[None], quality, transposed=True)
        assert torch.allclose(found[0], torch.from_numpy(expected), rtol=0, atol=2e-6)


def test_the_coefficients_are_those_of_the_published_code(golden, images):
    file = golden("jpeg")
    r, g, b = (images(file["input48x64_u8"]) * 255).unbind(1)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    cb, cr = (b - y) / 1.772, (r - y) / 1.402
    halved = torch.nn.functional.avg_pool2d(torch.stack([cb, cr], 1), 2)
    luma = quantised(y[:, None] - 128, 0.8, _table(y.device, chroma=False, transposed=True))
    chroma = quantised(halved, 0.8, _table(y.device, chroma=True, transposed=False))
    assert np.array_equal(luma.reshape(1, 48, 8, 8), file["coef_y_q60"])
    assert np.array_equal(chroma[:, 0].reshape(1, 12, 8, 8), file["coef_cb_q60"])
    assert np.array_equal(chroma[:, 1].reshape(1, 12, 8, 8), file["coef_cr_q60"])
    assert np.array_equal(
        _table(y.device, chroma=False, transposed=True).reshape(8, 8),
        file["table_y_as_indexed_vertical_horizontal"],
    )


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
def test_the_simulated_one_is_near_a_real_encoder(subsampling):
    """And farther where the table is turned round: the issue of the published code."""
    x = photograph()
    real = encoded(x, 40, codec="jpeg", subsampling=subsampling)
    near = psnr(simulated_jpeg(x, 40, subsampling=subsampling), real)
    far = psnr(simulated_jpeg(x, 40, subsampling=subsampling, transposed=True), real)
    assert near > 33
    assert near > far + 2


def test_encoders_are_those_of_opencv():
    x = photograph()
    bgr = (x[0].permute(1, 2, 0).numpy()[..., ::-1] * 255).round().astype(np.uint8)
    options = [cv2.IMWRITE_WEBP_QUALITY, 50]
    expected = cv2.imdecode(cv2.imencode(".webp", bgr, options)[1], cv2.IMREAD_COLOR)[..., ::-1]
    found = encoded(x, 50, codec="webp", subsampling="4:2:0") * 255
    assert np.array_equal(found[0].permute(1, 2, 0).round().byte(), expected)


def photograph() -> torch.Tensor:
    skimage = pytest.importorskip("skimage.data")
    crop = np.ascontiguousarray(skimage.astronaut()[100:292, 150:342])
    return torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * (a - b).square().mean().log10())
