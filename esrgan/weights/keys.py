"""Key layouts: the names that the layers of a network have in files of other programs."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from torch import Tensor

StateDict = dict[str, Tensor]

KeyLayout = Callable[[StateDict], StateDict]
"""From the names of today's releases to others; a ValueError where a network has none there."""

_Renaming = tuple[str, str]
"""How a key begins in a file, and in today's releases; each # is a number that is kept."""

_RRDB_2019 = (
    ("RRDB_trunk.#.RDB#.", "body.#.rdb#."),
    ("trunk_conv.", "conv_body."),
    ("upconv#.", "conv_up#."),
    ("HRconv.", "conv_hr."),
)
_MSRRESNET_2019 = (("recon_trunk.", "body."), ("HRconv.", "conv_hr."))
# Places in a residual block of SRResNet, where activations took numbers too
_BLOCK_2018 = {0: "conv1", 2: "conv2"}
_BLOCK_2018_WITH_BATCH_NORM = {0: "conv1", 1: "norm1", 3: "conv2", 4: "norm2"}


def to_released_keys(state: StateDict) -> StateDict:
    """Give weights the names of today's releases (BasicSR, Real-ESRGAN), or of our SRResNet.

    The authors have published files with three sets of names: numbered ones in 2018, then those of
    the ESRGAN repository (RRDB_trunk, trunk_conv, …), then today's. Other weights stay as they are.
    """
    return _rename(state, _renamings(state))


def released(state: StateDict) -> StateDict:
    """Today's names stay: BasicSR, Real-ESRGAN, spandrel. The only ones that all networks have."""
    return dict(state)


def _esrgan_2019(state: StateDict) -> StateDict:
    """RRDB_trunk, trunk_conv, …: the ESRGAN repository, BSRGAN, RealSR."""
    _require_plain_rrdb(state)
    return _rename(state, [(new, old) for old, new in _RRDB_2019])


def _numbered_2018(state: StateDict) -> StateDict:
    """model.0, model.1.sub.0.RDB1.conv1.0, …: the first release, and programs older than 2019."""
    _require_plain_rrdb(state)
    num_blocks = len(_numbers(state, "body.#.rdb1.conv1.weight"))
    num_steps = len(_numbers(state, "conv_up#.weight"))
    steps = [3 * step for step in range(1, num_steps + 1)]  # after an enlargement, and a ReLU
    numbers = [0, *steps, 3 * num_steps + 2, 3 * num_steps + 4]
    return _rename(state, [(new, old) for old, new in _rrdb_2018(num_blocks, numbers)])


KEY_LAYOUTS: Mapping[str, KeyLayout] = {
    "basicsr": released,
    "esrgan": _esrgan_2019,
    "2018": _numbered_2018,
}


def _require_plain_rrdb(state: StateDict) -> None:
    if "body.0.rdb1.conv1.weight" not in state:
        raise ValueError("only RRDBNet has had other names: this network has one set of them")
    if "norm_body.weight" in state:
        raise ValueError("the older names of RRDBNet's layers have none for BatchNorm")


def _renamings(state: StateDict) -> Sequence[_Renaming]:
    if "model.1.sub.0.RDB1.conv1.0.weight" in state:
        num_blocks = len(_numbers(state, "model.1.sub.#.RDB1.conv1.0.weight"))
        return _rrdb_2018(num_blocks, _numbers(state, "model.#.weight"))
    if "model.1.sub.0.res.0.weight" in state and state["model.1.sub.0.res.0.weight"].dim() == 4:
        return _srresnet_2018(state)
    if "RRDB_trunk.0.RDB1.conv1.weight" in state:
        return _RRDB_2019
    if "recon_trunk.0.conv1.weight" in state:
        return _MSRRESNET_2019
    if "features.0.weight" in state and "classifier.2.weight" in state:
        return _vgg_2018(state)
    return ()


def _rrdb_2018(num_blocks: int, numbers: Sequence[int]) -> list[_Renaming]:
    return [
        ("model.1.sub.#.RDB#.conv#.0.", "body.#.rdb#.conv#."),
        (f"model.1.sub.{num_blocks}.", "conv_body."),
        *_layers_2018(numbers),
    ]


def _srresnet_2018(state: StateDict) -> list[_Renaming]:
    """Its blocks (Conv, perhaps BatchNorm, ReLU, Conv, …), the end of its body, and the rest."""
    batch_norm = "model.1.sub.0.res.1.weight" in state
    layers = _BLOCK_2018_WITH_BATCH_NORM if batch_norm else _BLOCK_2018
    end = len(_numbers(state, "model.1.sub.#.res.0.weight"))
    return [
        *((f"model.1.sub.#.res.{place}.", f"body.#.{name}.") for place, name in layers.items()),
        (f"model.1.sub.{end}.", "conv_body."),
        (f"model.1.sub.{end + 1}.", "norm_body."),
        *_layers_2018(_numbers(state, "model.#.weight")),
    ]


def _layers_2018(numbers: Sequence[int]) -> list[_Renaming]:
    """Layers that 2018 knew by their place: activations and enlargements took numbers too."""
    steps = [f"conv_up{step}" for step in range(1, len(numbers) - 2)]
    names = ["conv_first", *steps, "conv_hr", "conv_last"]
    return [(f"model.{n}.", f"{name}.") for n, name in zip(numbers, names, strict=False)]


def _vgg_2018(state: StateDict) -> list[_Renaming]:
    """Convolutions, after the first each with BatchNorm and an activation, and linear layers."""
    first, linear = ("features.0.", "conv0_0."), ("classifier.0.", "linear1.")
    renamings = [first, linear, ("classifier.2.", "linear2.")]
    numbers = _numbers(state, "features.#.weight")[1:]
    for place, (conv, norm) in enumerate(zip(numbers[::2], numbers[1::2], strict=False), start=1):
        renamings.append((f"features.{conv}.", f"conv{place // 2}_{place % 2}."))
        renamings.append((f"features.{norm}.", f"bn{place // 2}_{place % 2}."))
    return renamings


def _numbers(keys: Iterable[str], template: str) -> list[int]:
    """Those in the place of the one # of the keys that the template fits, ascending."""
    found = (_pattern(template).fullmatch(key) for key in keys)
    return sorted(int(match[1]) for match in found if match)


def _rename(state: StateDict, renamings: Sequence[_Renaming]) -> StateDict:
    """A key gets the first renaming that fits its beginning."""
    rules = [(_pattern(old), new.replace("#", "{}")) for old, new in renamings]

    def renamed(key: str) -> str:
        for pattern, new in rules:
            if match := pattern.match(key):
                return new.format(*match.groups()) + key[match.end() :]
        return key

    return {renamed(key): tensor for key, tensor in state.items()}


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.escape(template).replace(r"\#", r"(\d+)"))
