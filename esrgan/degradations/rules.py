"""What the values of a recipe must obey; errors name the whole key."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from esrgan.errors import suggestion

_Name = TypeVar("_Name", bound=str)


def check_share(key: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{key} ({value}) is a probability: it must lie between 0 and 1")


def check_range(key: str, bounds: Sequence[float], *, low: float, high: float) -> None:
    if len(bounds) != 2 or not low <= bounds[0] <= bounds[1] <= high:
        raise ValueError(
            f"{key} ({list(bounds)}) must be two numbers, the smaller one first, between {low:g} "
            f"and {high:g}"
        )


def check_shares(key: str, shares: Mapping[_Name, float], known: Collection[str]) -> None:
    """Probabilities by name, which sum to one."""
    check_weights(key, shares, known)
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(
            f"{key} has probabilities that sum to {sum(shares.values()):g}: they must sum to 1"
        )


def check_weights(key: str, weights: Mapping[_Name, float], known: Collection[str]) -> None:
    """Weights by name, as 1 and 3, of which only the proportions count."""
    for name, weight in weights.items():
        if name not in known:
            raise ValueError(f"{key}.{name} does not exist: {suggestion(name, known)}")
        if not weight >= 0:
            raise ValueError(f"{key}.{name} ({weight}) must not be negative")
    if not sum(weights.values()) > 0:
        raise ValueError(f"{key} has no weight above 0: give one, as {next(iter(known))}: 1")


def check_sizes(key: str, sizes: Sequence[int]) -> None:
    """Of kernels."""
    if not sizes:
        raise ValueError(f"{key} is empty: name at least one size, as 21")
    for size in sizes:
        if size < 3 or size % 2 == 0:
            near = max(size // 2 * 2 - 1, 3)
            raise ValueError(
                f"{key} has {size}: a kernel has a middle, so its size must be odd and at least "
                f"3: use {near} or {near + 2}"
            )
