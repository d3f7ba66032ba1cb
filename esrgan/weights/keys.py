"""The names that the layers of a generator have in files of other programs."""

import re

from torch import Tensor

PREFIXES = ("generator_ema.", "ema.", "generator.", "net_g.", "netG.", "module.", "_orig_mod.")
"""What wrappers put before each name, the preferred first: MMagic, Lightning modules, SwinIR's
training code, data-parallel wrappers, `torch.compile`."""

RENAMED_2018 = (
    (r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"body.\1.rdb\2.conv\3."),
    (r"model\.1\.sub\.\d+\.(?=weight|bias)", r"conv_body."),
)
RENAMED_2019 = (
    (r"RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2."),
    (r"trunk_conv\.", r"conv_body."),
    (r"upconv(\d)\.", r"conv_up\1."),
    (r"HRconv\.", r"conv_hr."),
)


def strip_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take the wrappers off; where some tensors have a prefix, the others are not the generator."""
    for prefix in PREFIXES:
        inner = {key.removeprefix(prefix): t for key, t in state.items() if key.startswith(prefix)}
        if inner:
            return strip_prefixes(inner)
    return state


def to_released_keys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give RRDB weights the names of today's releases (BasicSR, Real-ESRGAN).

    The authors have published files with three sets of names: numbered ones in 2018, then those of
    the ESRGAN repository (RRDB_trunk, trunk_conv, …), then today's. Other weights stay as they are.
    """
    if "model.1.sub.0.RDB1.conv1.0.weight" in state:
        renamed = (*RENAMED_2018, *_numbered_layers(state))
    elif "RRDB_trunk.0.RDB1.conv1.weight" in state:
        renamed = RENAMED_2019
    else:
        return state
    return {_rename(key, renamed): tensor for key, tensor in state.items()}


def _numbered_layers(state: dict[str, Tensor]) -> list[tuple[str, str]]:
    """Layers that 2018 knew by their place: activations and enlargements took numbers too."""
    found = (re.fullmatch(r"model\.(\d+)\.weight", key) for key in state)
    numbers = sorted(int(match[1]) for match in found if match)
    steps = [f"conv_up{step}" for step in range(1, len(numbers) - 2)]
    names = ["conv_first", *steps, "conv_hr", "conv_last"]
    return [
        (rf"model\.{number}\.(?=weight|bias)", f"{name}.")
        for number, name in zip(numbers, names, strict=False)
    ]


def _rename(key: str, renamed: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in renamed:
        new, count = re.subn(rf"^{pattern}", replacement, key)
        if count:
            return new
    return key
