"""LPIPS and DISTS as losses; tests/evaluation/test_learned_metrics.py has their values."""

import pytest
import torch

from esrgan.losses import DISTSLoss, LPIPSLoss

RANDOM = {"weights": "random", "seed": 0, "patch_size": 32}
MAKE = {
    "lpips_vgg16": lambda: LPIPSLoss(network="vgg16", **RANDOM),
    "lpips_alexnet": lambda: LPIPSLoss(network="alexnet", **RANDOM),
    "dists": lambda: DISTSLoss(**RANDOM),
}


@pytest.fixture(scope="module", params=MAKE)
def loss(request: pytest.FixtureRequest) -> torch.nn.Module:
    return MAKE[request.param]()


def images(count: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(count, 3, 32, 32, generator=generator) for _ in range(2)]


def test_a_batch_has_the_mean_of_its_images(loss) -> None:
    sr, gt = images()
    alone = [loss(sr[i : i + 1], gt[i : i + 1]).item() for i in range(2)]
    assert loss(sr, gt).item() == pytest.approx(sum(alone) / 2, rel=1e-5)


def test_its_gradient_leads_to_the_ground_truth(loss) -> None:
    sr, gt = images(1)
    sr = sr.requires_grad_()
    before = loss(sr, gt)
    before.backward()
    nearer = sr.detach() - 1e-3 * sr.grad / sr.grad.abs().mean()
    assert loss(nearer, gt).item() < before.item()


def test_equal_images_have_a_distance_of_0_and_a_gradient_of_0(loss) -> None:
    sr = images(1)[0].requires_grad_()
    value = loss(sr, sr.detach().clone())
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert sr.grad.abs().max() < 1e-5


def test_black_images_have_a_finite_gradient(loss) -> None:
    sr = torch.zeros(1, 3, 32, 32, requires_grad=True)
    loss(sr, torch.full((1, 3, 32, 32), 0.5)).backward()
    assert sr.grad.isfinite().all()


def test_autocast_changes_no_bit(loss) -> None:
    sr, gt = images(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(sr, gt)
    assert found.dtype == torch.float32
    assert torch.equal(found, loss(sr, gt))


def test_nothing_of_it_is_trained_and_it_stays_in_evaluation(loss) -> None:
    loss.train()
    assert not any(weight.requires_grad for weight in loss.parameters())
    assert not any(layer.training for layer in loss.distance.modules())


def test_double_precision_is_kept() -> None:
    sr, gt = (each.double() for each in images(1))
    for name in ("lpips_alexnet", "dists"):
        assert MAKE[name]().double()(sr, gt).dtype == torch.float64


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: LPIPSLoss(network="alexnet", **RANDOM | {"patch_size": 24}),
            r"losses.lpips: patch_size \(24\) must be at least 31 on alexnet",
        ),
        (
            lambda: DISTSLoss(**RANDOM | {"patch_size": 8}),
            r"losses.dists: patch_size \(8\) must be at least 16",
        ),
        (
            lambda: LPIPSLoss(network="vgg19", **RANDOM),
            r"network \(vgg19\) must be one of alexnet, vgg16",
        ),
        (
            lambda: DISTSLoss(**RANDOM | {"weights": "no/such.pth"}),
            r"no/such.pth.* is neither a file.*set training.losses.dists.loss.weights=FILE",
        ),
    ],
)
def test_what_cannot_work_is_refused(make, words) -> None:
    with pytest.raises(ValueError, match=words):
        make()
