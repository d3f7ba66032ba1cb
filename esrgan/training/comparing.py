"""What a continued run is compared by with what it was before."""

from collections.abc import Mapping, Sequence
from typing import Any


def saved_rates(optimizer: Mapping[str, Any]) -> list[float]:
    """The learning rates in the saved state of an optimizer."""
    return [float(group["lr"]) for group in optimizer["param_groups"]]


def listed_rates(rates: Sequence[float]) -> str:
    return ", ".join(f"{rate:.4g}" for rate in rates)


def validation_images(settings: Mapping[str, Any]) -> object:
    """What images a run validates by; None: it is not known."""
    return (settings.get("content") or {}).get("validation_set")
