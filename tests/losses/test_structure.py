import pytest
import torch
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from esrgan.losses import MSSSIMLoss

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al., 2003


def images(side: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    gt = torch.rand(2, 3, side // 8, side // 8, generator=generator)
    gt = torch.nn.functional.interpolate(gt, size=(side, side), mode="bicubic").clamp(0, 1)
    return gt + 0.1 * torch.randn(gt.shape, generator=generator), gt


def test_flat_images_differ_in_the_luminance_of_the_coarsest_scale_alone() -> None:
    """Without variance cs is 1; l = (2 · 0.4 · 0.6 + C1) / (0.4² + 0.6² + C1), C1 = 0.01²."""
    sr, gt = torch.full((2, 3, 176, 176), 0.4), torch.full((2, 3, 176, 176), 0.6)
    loss = MSSSIMLoss(scales=5, patch_size=176)
    luminance = (2 * 0.4 * 0.6 + 1e-4) / (0.4**2 + 0.6**2 + 1e-4)
    assert loss(sr, gt).item() == pytest.approx(1 - luminance**0.1333, abs=5e-5)


def test_one_scale_is_ssim_as_scikit_image_has_it() -> None:
    sr, gt = images(48)
    expected = []
    for ours, theirs in zip(sr, gt, strict=True):
        _, ssim = structural_similarity(
            ours.double().numpy(),
            theirs.double().numpy(),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=0,
            full=True,
        )
        expected.append(ssim[:, 5:-5, 5:-5].mean())
    loss = MSSSIMLoss(scales=1, patch_size=48)(sr, gt).item()
    assert loss == pytest.approx(1 - sum(expected) / 2, abs=1e-5)


def test_five_scales_are_the_product_of_the_paper() -> None:
    """Contrasts are torchmetrics', which leaves borders out in them, as the paper does in all."""
    sr, gt = (each[:1] for each in images(176))
    product = 1.0
    x, y = sr, gt
    for number, exponent in enumerate(EXPONENTS):
        if number < 4:
            _, contrast = structural_similarity_index_measure(
                x, y, data_range=1.0, return_contrast_sensitivity=True
            )
            product *= contrast.item() ** exponent
            x, y = (torch.nn.functional.avg_pool2d(each, 2) for each in (x, y))
    last = 1 - MSSSIMLoss(scales=1, patch_size=11)(x, y).item()
    expected = 1 - product * last ** EXPONENTS[-1]
    found = MSSSIMLoss(scales=5, patch_size=176)(sr, gt).item()
    assert found == pytest.approx(expected, abs=2e-5)


def test_fewer_scales_have_exponents_that_add_up_to_what_the_papers_do() -> None:
    loss = MSSSIMLoss(scales=3, patch_size=44)
    assert sum(loss.exponents) == pytest.approx(1)
    assert loss.exponents[1] / loss.exponents[0] == pytest.approx(0.2856 / 0.0448)


def test_a_batch_has_the_mean_of_its_images() -> None:
    sr, gt = images(48)
    loss = MSSSIMLoss(scales=2, patch_size=48)
    alone = [loss(sr[i : i + 1], gt[i : i + 1]).item() for i in range(2)]
    assert loss(sr, gt).item() == pytest.approx(sum(alone) / 2, abs=1e-6)


def test_images_that_are_each_others_negative_have_a_finite_gradient() -> None:
    """The contrast is below 0, of which a power is no number."""
    _, gt = images(48)
    sr = (1 - gt).requires_grad_()
    MSSSIMLoss(scales=2, patch_size=48)(sr, gt).backward()
    assert sr.grad.isfinite().all()


@pytest.mark.parametrize(
    ("scales", "patch_size", "words"),
    [
        (
            5,
            128,
            r"ms_ssim: patch_size \(128\) must be at least 176 for 5 scales: give \S+scales=4",
        ),
        (1, 8, r"ms_ssim: patch_size \(8\) must be at least 11 for 1 scales: give patch_size=11"),
        (6, 512, r"scales \(6\) must lie between 1 and 5"),
    ],
)
def test_sizes_that_cannot_be_compared_are_refused(scales, patch_size, words) -> None:
    with pytest.raises(ValueError, match=words):
        MSSSIMLoss(scales=scales, patch_size=patch_size)
