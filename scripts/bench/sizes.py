"""How much is measured."""

from typing import NamedTuple


class RRDB(NamedTuple):
    """The sizes of an RRDB network, which enlarges by 4."""

    num_features: int
    num_blocks: int
    growth_channels: int

    def __str__(self) -> str:
        return f"RRDB {self.num_features}/{self.num_blocks}/{self.growth_channels} ×4"


class Sizes(NamedTuple):
    """What the numbers of a benchmark rest on."""

    rounds: int = 5
    loading_seconds: float = 0.5  # of one store in one round
    photograph: tuple[int, int] = (1356, 2040)  # height and width, at least: the usual of DIV2K
    trained: RRDB = RRDB(64, 4, 32)
    batch_size: int = 8
    patch_size: int = 128
    waiting_iterations: int = 10  # of a training that shows how long it waits for data
    upscaling: RRDB = RRDB(64, 6, 32)
    side: int = 256  # of the square of a photograph that is upscaled, in pixels
    tile: int = 128
    of_two: RRDB = RRDB(64, 8, 32)  # processes, whose patches have half the side
    degraded: int = 12  # samples of a batch
    iterations: int = 1_000  # of a training in bfloat16
    seeds: int = 3


USUAL = Sizes()
QUICK = Sizes(
    rounds=1,
    loading_seconds=0.02,
    photograph=(480, 600),
    trained=RRDB(8, 1, 4),
    batch_size=2,
    patch_size=32,
    waiting_iterations=3,
    upscaling=RRDB(8, 1, 4),
    side=48,
    tile=32,
    of_two=RRDB(8, 1, 4),
    degraded=2,
    iterations=100,
    seeds=1,
)
PAPER = RRDB(64, 23, 32)
