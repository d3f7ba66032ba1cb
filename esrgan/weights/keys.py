"""The names that the layers of a network have in files of other programs."""

import re
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

Renaming = tuple[str, str]
"""A pattern for the beginning of a key, and what takes its place."""

RRDB_2018 = (
    (r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"body.\1.rdb\2.conv\3."),
    (r"model\.1\.sub\.\d+\.(?=weight|bias)", r"conv_body."),
)
RRDB_2019 = (
    (r"RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2."),
    (r"trunk_conv\.", r"conv_body."),
    (r"upconv(\d)\.", r"conv_up\1."),
    (r"HRconv\.", r"conv_hr."),
)
MSRRESNET_2019 = (
    (r"recon_trunk\.", r"body."),
    (r"HRconv\.", r"conv_hr."),
)
VGG_2018 = (
    (r"features\.0\.", r"conv0_0."),
    (r"classifier\.0\.", r"linear1."),
    (r"classifier\.2\.", r"linear2."),
)
BLOCK_2018 = {0: "conv1", 2: "conv2"}
BLOCK_2018_WITH_BATCH_NORM = {0: "conv1", 1: "norm1", 3: "conv2", 4: "norm2"}
"""Places in a residual block of SRResNet, where activations took numbers too."""


def strip_prefixes(
    state: dict[str, Tensor], prefixes: Sequence[str]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Take wrappers off, and tell which; where some keys have one, the others are left out."""
    for prefix in prefixes:
        inner = {key.removeprefix(prefix): t for key, t in state.items() if key.startswith(prefix)}
        if inner:
            bare, taken = strip_prefixes(inner, prefixes)
            return bare, (prefix, *taken)
    return state, ()


def to_released_keys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give weights the names of today's releases (BasicSR, Real-ESRGAN), or of our SRResNet.

    The authors have published files with three sets of names: numbered ones in 2018, then those of
    the ESRGAN repository (RRDB_trunk, trunk_conv, …), then today's. Other weights stay as they are.
    """
    return rename(state, _renamings(state))


def rename(state: Mapping[str, Tensor], renamings: Sequence[Renaming]) -> dict[str, Tensor]:
    """The first renaming whose pattern a key begins with is the one that it gets."""
    return {_renamed(key, renamings): tensor for key, tensor in state.items()}


def _renamings(state: dict[str, Tensor]) -> tuple[Renaming, ...]:
    if "model.1.sub.0.RDB1.conv1.0.weight" in state:
        return (*RRDB_2018, *_numbered_layers(state))
    if _dimensions(state, "model.1.sub.0.res.0.weight") == 4:
        return (*_numbered_blocks(state), *_numbered_layers(state))
    if "RRDB_trunk.0.RDB1.conv1.weight" in state:
        return RRDB_2019
    if "recon_trunk.0.conv1.weight" in state:
        return MSRRESNET_2019
    if "features.0.weight" in state and "classifier.2.weight" in state:
        return (*VGG_2018, *_numbered_pairs(state))
    return ()


def _numbered_layers(state: Iterable[str]) -> list[Renaming]:
    """Layers that 2018 knew by their place: activations and enlargements took numbers too."""
    numbers = _numbers(state, r"model\.(\d+)\.weight")
    steps = [f"conv_up{step}" for step in range(1, len(numbers) - 2)]
    names = ["conv_first", *steps, "conv_hr", "conv_last"]
    return [
        (rf"model\.{number}\.", f"{name}.") for number, name in zip(numbers, names, strict=False)
    ]


def _numbered_blocks(state: dict[str, Tensor]) -> list[Renaming]:
    """SRResNet's blocks (Conv, perhaps BatchNorm, ReLU, Conv, …), and the end of its body."""
    batch_norm = "model.1.sub.0.res.1.weight" in state
    layers = BLOCK_2018_WITH_BATCH_NORM if batch_norm else BLOCK_2018
    end = len(_numbers(state, r"model\.1\.sub\.(\d+)\.res\.0\.weight"))
    return [
        *((rf"model\.1\.sub\.(\d+)\.res\.{i}\.", rf"body.\1.{to}.") for i, to in layers.items()),
        (rf"model\.1\.sub\.{end}\.", "conv_body."),
        (rf"model\.1\.sub\.{end + 1}\.", "norm_body."),
    ]


def _numbered_pairs(state: Iterable[str]) -> list[Renaming]:
    """The discriminator's convolutions after the first, each with BatchNorm and an activation."""
    numbers = _numbers(state, r"features\.(\d+)\.weight")[1:]
    pairs = enumerate(zip(numbers[::2], numbers[1::2], strict=False), start=1)
    return [
        renaming
        for place, (conv, norm) in pairs
        for renaming in (
            (rf"features\.{conv}\.", f"conv{place // 2}_{place % 2}."),
            (rf"features\.{norm}\.", f"bn{place // 2}_{place % 2}."),
        )
    ]


def _numbers(keys: Iterable[str], pattern: str) -> list[int]:
    found = (re.fullmatch(pattern, key) for key in keys)
    return sorted(int(match[1]) for match in found if match)


def _dimensions(state: dict[str, Tensor], key: str) -> int:
    return state[key].dim() if key in state else 0


def _renamed(key: str, renamings: Iterable[Renaming]) -> str:
    for pattern, replacement in renamings:
        new, count = re.subn(rf"^{pattern}", replacement, key)
        if count:
            return new
    return key
