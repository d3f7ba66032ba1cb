"""Where a file keeps the weights that are asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from esrgan.weights.keys import strip_prefixes

CONTAINERS = ("state_dict", "model_state_dict", "model", "net")
"""Wrappers that do not say of which network: Lightning, MMagic and training loops of any kind."""

WRAPPING_PREFIXES = ("module.", "_orig_mod.")
"""Put before each name by data-parallel wrappers and `torch.compile`."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The weights of one network in a file that may hold several.

    Attributes:
        name: for messages.
        wrappers: keys of the file that they may be under, the preferred first; `CONTAINERS` may be
            around these.
        prefixes: what may be before each of their names, the preferred first.
        marked: whether one of these must be there. Where not, a file of bare weights is this part.
    """

    name: str
    wrappers: tuple[str, ...]
    prefixes: tuple[str, ...]
    marked: bool = False

    def find(self, content: Mapping[Any, Any]) -> tuple[Mapping[Any, Any], bool]:
        """What is inside of all wrappers, and whether one of this part's own was there."""
        for key in (*self.wrappers, *CONTAINERS):
            if isinstance(content.get(key), Mapping):
                inner, marked = self.find(content[key])
                return inner, marked or key in self.wrappers
        return content, False

    def strip(self, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], bool]:
        """The same for the names of the weights."""
        state, taken = strip_prefixes(state, (*self.prefixes, *WRAPPING_PREFIXES))
        return state, bool(set(taken) & set(self.prefixes))


# BasicSR and Real-ESRGAN, the checkpoints of a training run of ours; MMagic.
AVERAGE = Part(
    name="average (EMA) of the generator",
    wrappers=("params_ema", "params-ema", "ema"),
    prefixes=("generator_ema.", "ema."),
    marked=True,
)
# The same; and Lightning modules, SwinIR's training code.
RAW = Part(
    name="generator beside its average",
    wrappers=("params", "generator"),
    prefixes=("generator.", "net_g.", "netG."),
    marked=True,
)
GENERATOR = Part(
    name="generator",
    wrappers=("params_ema", "params-ema", "params", "ema", "generator"),
    prefixes=(*AVERAGE.prefixes, *RAW.prefixes),
)
"""The average, where there is one."""

DISCRIMINATOR = Part(
    name="discriminator",
    wrappers=("discriminator", "params", "params_ema"),
    prefixes=("discriminator.", "net_d.", "netD."),
)
