"""LPIPS and DISTS: how they compare, on random features, and known values, on the trained ones."""

from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchmetrics
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from esrgan.data.folders import FolderPairs
from esrgan.degradations import resize_uint8
from esrgan.evaluation import METRICS, compare, open_metrics
from esrgan.evaluation.learned import dists, lpips
from esrgan.evaluation.metrics import mean

CPU = torch.device("cpu")
WEIGHTS = Path(torchmetrics.__file__).parent / "functional/image"
TAPS = {"alexnet": (1, 4, 7, 9, 11), "vgg16": (3, 8, 15, 22, 29)}
FITTED = {"alexnet": "alex", "vgg16": "vgg"}


@pytest.fixture(scope="module")
def networks():
    """Torchvision's features with random weights."""
    networks = {}
    for name, build in (("alexnet", models.alexnet), ("vgg16", models.vgg16)):
        with torch.device("meta"):
            features = build().features
        networks[name] = features.to_empty(device="cpu").eval()
        generator = torch.Generator().manual_seed(0)
        for layer in networks[name]:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, generator=generator)
                nn.init.uniform_(layer.bias, generator=generator)
    return networks


@pytest.fixture(scope="module")
def files(networks, tmp_path_factory):
    """Their weights in files, as torchvision names them."""
    folder = tmp_path_factory.mktemp("backbones")
    for name, features in networks.items():
        state = {f"features.{key}": value for key, value in features.state_dict().items()}
        save_file(state, folder / f"{name}.safetensors")
    return {name: str(folder / f"{name}.safetensors") for name in networks}


def images(height=40, width=56):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(2)]


def tensor(image):
    return torch.from_numpy(image.transpose(2, 0, 1) / 255).float()[None]


def features(network, x, taps):
    found = []
    for index, layer in enumerate(network[: taps[-1] + 1]):
        x = layer(x).clone()  # the next activation would write over it
        if index in taps:
            found.append(x)
    return found


@pytest.mark.parametrize("network", ["alexnet", "vgg16"])
@torch.no_grad()
def test_lpips_is_the_distance_of_the_paper_on_inputs_from_minus_1_to_1(networks, files, network):
    sr, gt = images()
    weights = torch.load(WEIGHTS / f"lpips_models/{FITTED[network]}.pth", map_location="cpu")
    shift, scale = (
        torch.tensor(v)[:, None, None] for v in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450])
    )
    sides = [
        features(networks[network], (2 * tensor(image) - 1 - shift) / scale, TAPS[network])
        for image in (sr, gt)
    ]
    expected = 0
    for index, (a, b) in enumerate(zip(*sides, strict=True)):
        difference = (F.normalize(a) - F.normalize(b)) ** 2
        weighted = difference * weights[f"lin{index}.model.1.weight"]
        expected += weighted.sum(dim=1).mean()
    metric = lpips(network=network, weights=files[network], crop=0, device=CPU)
    assert metric(sr, gt) == pytest.approx(float(expected), rel=1e-4)
    assert metric(sr, gt) == metric(sr, gt)  # earlier images leave no trace


@torch.no_grad()
def test_dists_compares_the_means_and_covariances_of_features(networks, files):
    sr, gt = images()
    weights = torch.load(WEIGHTS / "dists_models/weights.pt")
    mean, std = (
        torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    network = [SquarePool() if isinstance(m, nn.MaxPool2d) else m for m in networks["vgg16"]]
    x, y = (
        [tensor(i), *features(network, (tensor(i) - mean) / std, TAPS["vgg16"])] for i in (sr, gt)
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
    metric = dists(weights=files["vgg16"], crop=0, device=CPU)
    assert metric(sr, gt) == pytest.approx(float(1 - similarity / total), rel=1e-3)


class SquarePool(nn.Module):
    """The root of squares in a Hann window, instead of the largest value."""

    def forward(self, x):
        window = torch.tensor([0.5, 1, 0.5])
        kernel = (window[:, None] * window / 4).expand(x.shape[1], 1, 3, 3)
        return torch.sqrt(F.conv2d(x**2, kernel, stride=2, padding=1, groups=x.shape[1]) + 1e-12)


@pytest.mark.parametrize("name", ["LPIPS", "LPIPS-VGG", "DISTS"])
@torch.no_grad()
def test_torchmetrics_has_the_same_values(networks, files, name, monkeypatch):
    from torchmetrics.functional.image import dists as theirs
    from torchmetrics.image import LearnedPerceptualImagePatchSimilarity

    for network in ("alexnet", "vgg16"):
        found = SimpleNamespace(features=networks[network])
        monkeypatch.setattr(models, network, lambda weights, found=found: found)
    monkeypatch.setattr(theirs, "vgg16", models.vgg16)
    if name == "DISTS":
        other = theirs.DISTSNetwork()
    else:
        net = "alex" if name == "LPIPS" else "vgg"
        other = LearnedPerceptualImagePatchSimilarity(net_type=net, normalize=True)
    sr, gt = images()
    (measure,) = open_metrics([name], crop=0, device=CPU, **files).values()
    assert measure(sr, gt) == pytest.approx(float(other(tensor(sr), tensor(gt))), rel=2e-5)


@pytest.fixture(params=["alexnet", "vgg16", "dists"])
def metric(request, files):
    def make(crop):
        if request.param == "dists":
            return dists(weights=files["vgg16"], crop=crop, device=CPU), 16
        network = request.param
        smallest = {"alexnet": 31, "vgg16": 16}[network]
        return lpips(network=network, weights=files[network], crop=crop, device=CPU), smallest

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


def test_a_network_that_cannot_be_downloaded_is_named_with_its_place(monkeypatch, tmp_path):
    def fail(*arguments, **options):
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for metric, file, option in (
        ("LPIPS", "alexnet-owt-7be5be79.pth", "--alexnet FILE"),
        ("LPIPS-VGG", "vgg16-397923af.pth", "--vgg16 FILE"),
        ("DISTS", "vgg16-397923af.pth", "--vgg16 FILE"),
    ):
        with pytest.raises(ValueError, match=rf"no route.*checkpoints/{file}.* set {option}"):
            open_metrics([metric], crop=0, device=CPU)


def test_weights_that_torchmetrics_does_not_have_yet_are_named(files, monkeypatch, tmp_path):
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr("esrgan.feature_distances.find_spec", lambda name: spec)
    with pytest.raises(ValueError, match=r"DISTS are not in the installed.*torchmetrics>=1\.7"):
        dists(weights=files["vgg16"], crop=0, device=CPU)


@pytest.fixture(scope="module")
def set5(reference_data):
    return FolderPairs(gt=reference_data / "set5/HR", lq=reference_data / "set5/LRbicx4", scale=4)


@pytest.fixture(scope="module")
def trained(reference_data):
    weights = reference_data / "weights"
    vgg16, alexnet = (f"{n}.safetensors" for n in ("vgg16_features_fp16", "alexnet_features"))
    return {"vgg16": str(weights / vgg16), "alexnet": str(weights / alexnet)}


def values_of_bicubic(metric, set5, files) -> dict[str, float]:
    metrics = open_metrics([metric], crop=0, device=CPU, **files)
    compared = compare({"bicubic": lambda _key, lq: resize_uint8(lq, 4)}, set5, metrics)
    scores = [score for comparison in compared for score in comparison.scores]
    return {score.image: score.values[METRICS[metric]] for score in scores}


def test_bicubic_interpolation_of_set5_has_the_known_lpips(set5, trained):
    """The mean is 0.3407 as published by SPSR's authors, on bicubic images of their own."""
    found = values_of_bicubic("LPIPS", set5, trained)
    known = {"baby": 0.3025, "bird": 0.2360, "butterfly": 0.3731, "head": 0.4211, "woman": 0.3663}
    assert found == pytest.approx(known, abs=5e-5)
    assert mean(found.values()) == pytest.approx(0.3398, abs=5e-5)


@pytest.mark.slow
def test_bicubic_interpolation_of_set5_has_the_known_lpips_by_vgg(set5, trained):
    """The known value is of weights in full precision, those here are rounded to half."""
    found = values_of_bicubic("LPIPS-VGG", set5, trained)
    assert mean(found.values()) == pytest.approx(0.2796, abs=1e-4)


def test_dists_grows_with_the_distance(set5, trained):
    (measure,) = open_metrics(["DISTS"], crop=0, device=CPU, **trained).values()
    gt = set5.read(2)[1][:96, :96]
    noise = np.random.default_rng(0).normal(size=gt.shape)
    noisy = [np.clip(gt + sigma * noise, 0, 255).astype(np.uint8) for sigma in (0, 5, 15, 45)]
    values = [measure(image, gt) for image in noisy]
    assert values[0] == pytest.approx(0, abs=1e-5)
    assert values == sorted(values)
    assert 0.05 < values[-1] < 1
