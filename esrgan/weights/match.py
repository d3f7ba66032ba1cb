"""Which tensors of a file fit a network."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

NUM_NAMED = 5
"""How many keys a report names of each kind."""


@dataclass(frozen=True, kw_only=True)
class MatchReport:
    """Keys of a file and a network, compared; as text, a few lines for people."""

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    """In the network, not in the file."""
    unexpected: tuple[str, ...]
    """In the file, not in the network."""
    mismatched: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    """In both, in different shapes: that in the file, then that in the network."""

    @property
    def complete(self) -> bool:
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        num_in_network = len(self.matched) + len(self.missing) + len(self.mismatched)
        shapes = tuple(
            f"{key} (file {'x'.join(map(str, in_file))}, network {'x'.join(map(str, in_network))})"
            for key, (in_file, in_network) in self.mismatched.items()
        )
        lines = [f"{len(self.matched)} of the network's {num_in_network} tensors fit"]
        lines += _line("missing from the file", self.missing)
        lines += _line("not in the network", self.unexpected)
        lines += _line("of another shape", shapes)
        return "\n".join(lines)


def compare(in_file: Mapping[str, Tensor], in_network: Mapping[str, Tensor]) -> MatchReport:
    shared = [key for key in in_network if key in in_file]
    differs = {
        key: (tuple(in_file[key].shape), tuple(in_network[key].shape))
        for key in shared
        if in_file[key].shape != in_network[key].shape
    }
    return MatchReport(
        matched=tuple(key for key in shared if key not in differs),
        missing=tuple(key for key in in_network if key not in in_file),
        unexpected=tuple(key for key in in_file if key not in in_network),
        mismatched=differs,
    )


def _line(what: str, keys: tuple[str, ...]) -> list[str]:
    more = ", …" if len(keys) > NUM_NAMED else ""
    return [f"{len(keys)} {what}: {', '.join(keys[:NUM_NAMED])}{more}"] if keys else []
