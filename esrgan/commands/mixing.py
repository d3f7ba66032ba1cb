"""A second network that the first is interpolated with: `--with` and `--denoise` of a command."""

from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path

from esrgan.errors import refuse_alone
from esrgan.runs import find_weights

DENOISE_PARTNER = "realesr-general-wdn-x4v3"
"""The name of the network that was published beside realesr-general-x4v3, to be mixed with it."""


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """What the options say."""

    other: str | None
    alpha: float | None
    denoise: float | None
    denoise_partner: str | None


def add_mixing_options(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--with", dest="other", metavar="WEIGHTS", help="interpolate with these, see --alpha")
    add("--alpha", type=float, help="part of --with in the network, from 0 to 1")
    text = "from 0 to 1: how much of the noise goes. WEIGHTS is realesr-general-x4v3, and is mixed "
    text += f"with {DENOISE_PARTNER}, which is beside it unless --denoise-partner names it"
    add("--denoise", type=float, metavar="D", help=text)
    add("--denoise-partner", metavar="WEIGHTS", help="the network that hardly denoises")


def check_mixing(mixing: Mixing) -> None:
    """Refuse values out of range, and options that have no effect, by a ValueError."""
    alpha, denoise = mixing.alpha, mixing.denoise
    if (alpha is None) != (mixing.other is None):
        raise ValueError("--alpha and --with belong together: give both, or neither")
    if alpha is not None and not 0 <= alpha <= 1:
        raise ValueError(f"--alpha ({alpha:g}) must be from 0 (WEIGHTS) to 1 (--with)")
    if denoise is not None and alpha is not None:
        raise ValueError("--denoise and --with both interpolate: give one of them")
    if denoise is not None and not 0 <= denoise <= 1:
        raise ValueError(
            f"--denoise ({denoise:g}) must be from 0 (hardly any noise goes) to 1 (all that "
            "WEIGHTS takes out)"
        )
    refuse_alone(mixing, {"denoise_partner": ("denoise",)})


def mixed_with(mixing: Mixing, weights: Path) -> tuple[Path | None, float]:
    """The other weights that a network is interpolated with, and their part, from 0 to 1.

    As published, D of --denoise gives D times the network and 1 - D times its partner. A ValueError
    if the other weights are not there.
    """
    if mixing.denoise is None:
        return (None if mixing.other is None else find_weights(mixing.other)), mixing.alpha or 0
    if mixing.denoise_partner is not None:
        partner = find_weights(mixing.denoise_partner)
    else:
        partner = weights.with_name(DENOISE_PARTNER + weights.suffix)
    if mixing.denoise == 1:
        return None, 0
    if not partner.is_file():
        raise ValueError(
            f"--denoise {mixing.denoise:g} mixes {weights} with {partner}, which is not there: "
            "`esrgan download realesr_general_wdn` fetches it, and --denoise-partner FILE takes "
            "it from elsewhere; --denoise 1 needs none"
        )
    if partner.samefile(weights):
        raise ValueError(
            f"{weights} is itself the network that hardly denoises: give realesr-general-x4v3 as "
            "WEIGHTS, and --denoise 0 for this one"
        )
    return partner, 1 - mixing.denoise
