"""VGG19 as torchvision has it, up to a layer, with weights for ImageNet, of a file, or random."""

import hashlib
import logging
from collections.abc import Collection
from difflib import get_close_matches
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import nn
from torchvision.models import VGG19_Weights  # type: ignore[import-untyped] # ships no types

log = logging.getLogger(__name__)

STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Channels and number of convolutions before each pooling (arXiv:1409.1556, table 1, column E)."""


def _layers() -> dict[str, nn.Module]:
    """All layers in torchvision's order, by the names of the papers; without memory yet."""
    layers: dict[str, nn.Module] = {}
    inputs = 3
    with torch.device("meta"):  # else their first weights draw from the global random state
        for stage, (channels, count) in enumerate(STAGES, start=1):
            for number in range(1, count + 1):
                layers[f"conv{stage}_{number}"] = nn.Conv2d(inputs, channels, 3, padding=1)
                layers[f"relu{stage}_{number}"] = nn.ReLU(inplace=True)
                inputs = channels
            layers[f"pool{stage}"] = nn.MaxPool2d(2)
    return layers


LAYERS = tuple(_layers())
"""conv1_1, relu1_1 to pool5; their positions are those in torchvision's `features`."""


def vgg19_features(names: Collection[str], *, weights: str, seed: int) -> nn.Sequential:
    """The layers of VGG19 from the first to the deepest of those named.

    As in torchvision, activations write over the output of the convolution before them. `weights`
    and `seed` are those of `PerceptualLoss`.

    Raises:
        ValueError: a name is no layer's, or the weights cannot be had.
    """
    num_layers = max(_position(name) for name in names) + 1
    network = nn.Sequential(*list(_layers().values())[:num_layers]).to_empty(device="cpu")
    if weights == "random":
        _draw(network, seed)
    else:
        _load(network, _imagenet_file() if weights == "imagenet" else Path(weights))
    return network


def _position(layer: str) -> int:
    if layer not in LAYERS:
        close = get_close_matches(layer, LAYERS, n=1)
        fix = f"did you mean {close[0]}?" if close else f"there are {', '.join(LAYERS)}"
        raise ValueError(f"{layer} is not a layer of VGG19: {fix}")
    return LAYERS.index(layer)


def _draw(network: nn.Sequential, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
        else:
            nn.init.zeros_(parameter)


def _load(network: nn.Sequential, path: Path) -> None:
    content = _read(path)
    # Other VGGs share the first layers: they are told by what they have besides.
    known = {f"features.{key}" for key in nn.Sequential(*_layers().values()).state_dict()}
    foreign = [k for k in content if k not in known and not k.startswith("classifier.")]
    if foreign:
        raise _refusal(f"{path} is not of VGG19: it has {foreign[0]}")
    state = network.state_dict()
    for key, parameter in state.items():
        found, expected = getattr(content.get(f"features.{key}"), "shape", ()), parameter.shape
        if found != expected:
            raise _refusal(
                f"{path} is not of VGG19: features.{key} is {list(found) or 'missing'} where "
                f"{list(expected)} belongs"
            )
    network.load_state_dict({key: content[f"features.{key}"] for key in state})


def _read(path: Path) -> dict[str, Any]:
    """A state dict by the names of the whole network."""
    if not path.is_file():
        raise _refusal(f"weights ({path}) is neither a file nor one of imagenet, random")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return {f"features.{k}" if k[0].isdigit() else k: v for k, v in content.items()}
    except Exception as error:  # damaged files raise nearly anything
        raise _refusal(f"{path} is damaged, or not a state dict alone") from error


def _imagenet_file() -> Path:
    """The file in the cache of torch hub; downloaded where it is missing."""
    path = _cached_file()
    digest = path.stem.rpartition("-")[2]  # torch hub's rule: a name ends in its SHA-256's start
    if not path.exists():
        url = VGG19_Weights.IMAGENET1K_V1.url
        log.info("downloading %s to %s", url, path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=digest)
        except (OSError, HTTPException, RuntimeError) as error:  # the last: a wrong digest
            raise _refusal(f"VGG19's weights cannot be downloaded: {str(error).strip()}") from error
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(digest):
        raise _refusal(
            f"{path} is damaged, its SHA-256 starts with {found[: len(digest)]}: delete it and it "
            "is downloaded again"
        )
    return path


def _cached_file() -> Path:
    name = Path(urlparse(VGG19_Weights.IMAGENET1K_V1.url).path).name
    return Path(torch.hub.get_dir(), "checkpoints", name)


def _refusal(reason: str) -> ValueError:
    return ValueError(
        f"{reason}. VGG19's weights for ImageNet are {VGG19_Weights.IMAGENET1K_V1.url}: put that "
        f"file at {_cached_file()}, or anywhere and set "
        "training.losses.perceptual.loss.weights=FILE"
    )
