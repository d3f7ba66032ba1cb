"""Networks of torchvision whose features are compared: their layers by name, and their weights.

Perceptual losses and learned metrics have them from here.
"""

import hashlib
import logging
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlparse

import torch
from safetensors.torch import load_file
from torch import nn
from torchvision import models  # type: ignore[import-untyped] # ships no types

log = logging.getLogger(__name__)

IMAGENET = "imagenet"
"""The word for torchvision's weights, in place of a file's name."""

_CHANNELS = (64, 128, 256, 512, 512)


def _vgg(counts: Sequence[int]) -> dict[str, nn.Module]:
    """With the number of convolutions before each pooling (arXiv:1409.1556, table 1)."""
    layers: dict[str, nn.Module] = {}
    inputs = 3
    for stage, (channels, count) in enumerate(zip(_CHANNELS, counts, strict=True), start=1):
        for number in range(1, count + 1):
            layers[f"conv{stage}_{number}"] = nn.Conv2d(inputs, channels, 3, padding=1)
            layers[f"relu{stage}_{number}"] = nn.ReLU(inplace=True)
            inputs = channels
        layers[f"pool{stage}"] = nn.MaxPool2d(2)
    return layers


def _alexnet() -> dict[str, nn.Module]:
    return {
        "conv1": nn.Conv2d(3, 64, 11, stride=4, padding=2),
        "relu1": nn.ReLU(inplace=True),
        "pool1": nn.MaxPool2d(3, stride=2),
        "conv2": nn.Conv2d(64, 192, 5, padding=2),
        "relu2": nn.ReLU(inplace=True),
        "pool2": nn.MaxPool2d(3, stride=2),
        "conv3": nn.Conv2d(192, 384, 3, padding=1),
        "relu3": nn.ReLU(inplace=True),
        "conv4": nn.Conv2d(384, 256, 3, padding=1),
        "relu4": nn.ReLU(inplace=True),
        "conv5": nn.Conv2d(256, 256, 3, padding=1),
        "relu5": nn.ReLU(inplace=True),
        "pool5": nn.MaxPool2d(3, stride=2),
    }


class _Backbone(NamedTuple):
    title: str
    layers: Callable[[], dict[str, nn.Module]]  # by the names of the papers, in torchvision's order
    published: Any  # the entry of torchvision's table that has the address of the weights


_BACKBONES = {
    "vgg16": _Backbone("VGG16", lambda: _vgg((2, 2, 3, 3, 3)), models.VGG16_Weights.IMAGENET1K_V1),
    "vgg19": _Backbone("VGG19", lambda: _vgg((2, 2, 4, 4, 4)), models.VGG19_Weights.IMAGENET1K_V1),
    "alexnet": _Backbone("AlexNet", _alexnet, models.AlexNet_Weights.IMAGENET1K_V1),
}


def layer_names(network: str) -> tuple[str, ...]:
    """Of vgg16 or vgg19: conv1_1, relu1_1 to pool5; of alexnet: conv1, relu1, pool1 to pool5.

    Their positions are those in torchvision's `features`. Any other network is a ValueError.
    """
    return tuple(_layers(_find(network)))


def random_features(network: str, names: Collection[str], *, seed: int) -> nn.Sequential:
    """As `trained_features`, with weights that follow from the seed alone."""
    layers = _empty_layers(_find(network), names)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in layers.named_parameters():
        if name.endswith("weight"):
            nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
        else:
            nn.init.zeros_(parameter)
    return layers


def trained_features(
    network: str, names: Collection[str], *, weights: str, option: str
) -> nn.Sequential:
    """The layers of a network from the first to the deepest of those named, in float32.

    As in torchvision, activations write over the output of the convolution before them.

    Args:
        network: vgg16, vgg19 or alexnet.
        names: some of its `layer_names`.
        weights: "imagenet", which torchvision publishes and which is downloaded once; or the path
            of a file (.pth, .safetensors): that state dict, whole or of the features alone, in any
            precision.
        option: how the user names a file, for errors.

    Raises:
        ValueError: the network or a name is not known, or the weights cannot be had.
    """
    backbone = _find(network)
    layers = _empty_layers(backbone, names)
    try:
        path = _imagenet_file(backbone) if weights == IMAGENET else Path(weights)
        _load(layers, backbone, path)
    except ValueError as error:
        raise ValueError(
            f"{error}. {backbone.title}'s weights for ImageNet are {backbone.published.url}: put "
            f"that file at {_cached_file(backbone)}, or anywhere and set {option}"
        ) from error
    return layers


def _find(network: str) -> _Backbone:
    if network not in _BACKBONES:
        raise ValueError(f"network ({network}) must be one of {', '.join(_BACKBONES)}")
    return _BACKBONES[network]


def _layers(backbone: _Backbone) -> dict[str, nn.Module]:
    with torch.device("meta"):  # else their first weights draw from the global random state
        return backbone.layers()


def _empty_layers(backbone: _Backbone, names: Collection[str]) -> nn.Sequential:
    layers = _layers(backbone)
    known = list(layers)
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            fix = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise ValueError(f"{name} is not a layer of {backbone.title}: {fix}")
    num_layers = max(known.index(name) for name in names) + 1
    return nn.Sequential(*list(layers.values())[:num_layers]).to_empty(device="cpu")


def _load(layers: nn.Sequential, backbone: _Backbone, path: Path) -> None:
    content = _read(path)
    # Networks of one family share the first layers: they are told by what they have besides
    whole = nn.Sequential(*_layers(backbone).values()).state_dict()
    known = {f"features.{key}" for key in whole}
    foreign = [k for k in content if k not in known and not k.startswith("classifier.")]
    if foreign:
        raise ValueError(f"{path} is not of {backbone.title}: it has {foreign[0]}")
    state = layers.state_dict()
    for key, parameter in state.items():
        found, expected = getattr(content.get(f"features.{key}"), "shape", ()), parameter.shape
        if found != expected:
            raise ValueError(
                f"{path} is not of {backbone.title}: features.{key} is "
                f"{list(found) or 'missing'} where {list(expected)} belongs"
            )
    layers.load_state_dict({key: content[f"features.{key}"] for key in state})


def _read(path: Path) -> dict[str, Any]:
    """A state dict by the names of the whole network."""
    if not path.is_file():
        raise ValueError(f"weights ({path}) is neither a file nor {IMAGENET}")
    try:
        if path.suffix == ".safetensors":
            content: dict[str, Any] = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
        return {f"features.{k}" if k[0].isdigit() else k: v for k, v in content.items()}
    except Exception as error:  # damaged files raise nearly anything
        raise ValueError(f"{path} is damaged, or not a state dict alone") from error


def _imagenet_file(backbone: _Backbone) -> Path:
    """The file in the cache of torch hub; downloaded where it is missing."""
    path = _cached_file(backbone)
    digest = path.stem.rpartition("-")[2]  # torch hub's rule: a name ends in its SHA-256's start
    if not path.exists():
        url = backbone.published.url
        log.info("downloading %s to %s", url, path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=digest)
        except (OSError, HTTPException, RuntimeError) as error:  # the last: a wrong digest
            raise ValueError(
                f"{backbone.title}'s weights cannot be downloaded: {str(error).strip()}"
            ) from error
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(digest):
        raise ValueError(
            f"{path} is damaged, its SHA-256 starts with {found[: len(digest)]}: delete it and it "
            "is downloaded again"
        )
    return path


def _cached_file(backbone: _Backbone) -> Path:
    name = Path(urlparse(backbone.published.url).path).name
    return Path(torch.hub.get_dir(), "checkpoints", name)
