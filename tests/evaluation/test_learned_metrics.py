"""The wiring of LPIPS and DISTS: on random backbones, for the trained ones are large downloads."""

import sys
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchmetrics
import torchvision
from torch import nn

from esrgan.evaluation.learned import dists, lpips

CPU = torch.device("cpu")
WEIGHTS = Path(torchmetrics.__file__).parent / "functional/image"
TAPS = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}


def random_backbone(build):
    with torch.device("meta"):
        network = build()
    network.features.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    for layer in network.features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, generator=generator)
            nn.init.uniform_(layer.bias, generator=generator)
    return network


@pytest.fixture(scope="module")
def networks():
    models = torchvision.models
    return {"alex": random_backbone(models.alexnet), "vgg": random_backbone(models.vgg16)}


@pytest.fixture(autouse=True)
def backbones(monkeypatch, networks):
    import torchmetrics.functional.image.dists

    alex, vgg = (lambda weights, name=name: networks[name] for name in ("alex", "vgg"))
    monkeypatch.setattr(torchvision.models, "alexnet", alex)
    for place in (torchvision.models, torchmetrics.functional.image.dists):
        monkeypatch.setattr(place, "vgg16", vgg)


def images(height=40, width=56):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(2)]


def tensor(image):
    return torch.from_numpy(image.transpose(2, 0, 1) / 255).float()[None]


def features(network, x, taps):
    found = []
    for index, layer in enumerate(network.features[: taps[-1] + 1]):
        x = layer(x).clone()  # the next activation would write over it
        if index in taps:
            found.append(x)
    return found


@pytest.mark.parametrize("backbone", ["alex", "vgg"])
@torch.no_grad()
def test_lpips_is_the_distance_of_the_paper_on_inputs_from_minus_1_to_1(networks, backbone):
    sr, gt = images()
    weights = torch.load(WEIGHTS / f"lpips_models/{backbone}.pth", map_location="cpu")
    shift, scale = (
        torch.tensor(v)[:, None, None] for v in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450])
    )
    sides = [
        features(networks[backbone], (2 * tensor(image) - 1 - shift) / scale, TAPS[backbone])
        for image in (sr, gt)
    ]
    expected = 0
    for index, (a, b) in enumerate(zip(*sides, strict=True)):
        difference = (F.normalize(a) - F.normalize(b)) ** 2
        weighted = difference * weights[f"lin{index}.model.1.weight"]
        expected += weighted.sum(dim=1).mean()
    metric = lpips(backbone=backbone, crop=0, device=CPU)
    assert metric(sr, gt) == pytest.approx(float(expected), rel=1e-4)
    assert metric(sr, gt) == metric(sr, gt)  # earlier images leave no trace


@torch.no_grad()
def test_dists_compares_the_means_and_covariances_of_features(networks):
    sr, gt = images()
    weights = torch.load(WEIGHTS / "dists_models/weights.pt")
    mean, std = (
        torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    network = torchvision.models.vgg16(weights=None)
    layers = [SquarePool() if isinstance(m, nn.MaxPool2d) else m for m in network.features]
    network = type("Backbone", (), {"features": layers})
    x, y = (
        [tensor(i), *features(network, (tensor(i) - mean) / std, TAPS["vgg"])] for i in (sr, gt)
    )
    total = weights["alpha"].sum() + weights["beta"].sum()
    channels = [3, 64, 128, 256, 512, 512]
    alpha, beta = (weights[name].flatten().split(channels) for name in ("alpha", "beta"))
    similarity = 0
    for a, b, p, q in zip(alpha, beta, x, y, strict=True):
        p, q = p[0].flatten(1), q[0].flatten(1)
        u, v = p.mean(1), q.mean(1)
        covariance = (p * q).mean(1) - u * v
        structure = (2 * covariance + 1e-6) / (p.var(1, False) + q.var(1, False) + 1e-6)
        similarity += (a * (2 * u * v + 1e-6) / (u**2 + v**2 + 1e-6) + b * structure).sum()
    metric = dists(crop=0, device=CPU)
    assert metric(sr, gt) == pytest.approx(float(1 - similarity / total), rel=1e-3)


class SquarePool(nn.Module):
    """The root of squares in a Hann window, instead of the largest value."""

    def forward(self, x):
        window = torch.tensor([0.5, 1, 0.5])
        kernel = (window[:, None] * window / 4).expand(x.shape[1], 1, 3, 3)
        return torch.sqrt(F.conv2d(x**2, kernel, stride=2, padding=1, groups=x.shape[1]) + 1e-12)


@pytest.fixture(params=["alex", "vgg", "dists"])
def metric(request):
    def make(crop):
        if request.param == "dists":
            return dists(crop=crop, device=CPU), 16
        smallest = {"alex": 31, "vgg": 16}[request.param]
        return lpips(backbone=request.param, crop=crop, device=CPU), smallest

    return make


def test_identical_images_have_no_distance_and_the_border_does_not_count(metric):
    sr, gt = images()
    measure, _ = metric(2)
    assert measure(sr, sr) == pytest.approx(0, abs=1e-5)
    framed = gt.copy()
    framed[2:-2, 2:-2] = sr[2:-2, 2:-2]
    assert measure(framed, sr) == pytest.approx(0, abs=1e-5)
    assert measure(gt, sr) > 1e-3


def test_images_too_small_for_the_network_are_refused(metric):
    measure, smallest = metric(1)
    sr, gt = images(smallest + 2, smallest + 2)
    assert measure(sr, gt) > 0
    with pytest.raises(ValueError, match=f"needs {smallest}x{smallest} pixels"):
        measure(sr[1:], gt[1:])


def test_a_network_that_cannot_be_downloaded_is_named_with_its_place(monkeypatch):
    def fail(weights):
        raise URLError("no route")

    monkeypatch.setattr(torchvision.models, "alexnet", fail)
    with pytest.raises(
        ValueError, match=r"LPIPS cannot.*no route.*checkpoints/alexnet-[-\w]+\.pth"
    ):
        lpips(backbone="alex", crop=0, device=CPU)
    monkeypatch.setattr("torchmetrics.functional.image.dists.vgg16", fail)
    with pytest.raises(ValueError, match=r"DISTS cannot.*no route.*checkpoints/vgg16-\w+\.pth"):
        dists(crop=0, device=CPU)


def test_a_metric_that_torchmetrics_does_not_have_yet_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchmetrics.functional.image.dists", None)
    with pytest.raises(ValueError, match=r"DISTS is not in the installed.*torchmetrics>=1\.7"):
        dists(crop=0, device=CPU)
