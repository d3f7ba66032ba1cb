"""How much is measured."""

from typing import NamedTuple, Self


class Step(NamedTuple):
    """An RRDB network, ×4, and its batch."""

    num_features: int
    num_blocks: int
    growth_channels: int
    batch_size: int
    patch_size: int
    iterations: int  # of a round

    def __str__(self) -> str:
        return (
            f"RRDB {self.num_features}/{self.num_blocks}/{self.growth_channels} ×4, "
            f"{self.batch_size} patches of {self.patch_size}"
        )


class Upscaling(NamedTuple):
    """An RRDB network, ×4, and the part of a photograph that it enlarges."""

    num_features: int
    num_blocks: int
    growth_channels: int
    side: int  # of a square of the photograph, in pixels
    tile: int

    def __str__(self) -> str:
        return f"RRDB {self.num_features}/{self.num_blocks}/{self.growth_channels} ×4"


class Sizes(NamedTuple):
    """What the numbers of a benchmark rest on."""

    rounds: int
    loading_seconds: float  # of one source in one round
    photograph: tuple[int, int]  # height and width, at least
    step: Step
    gan: Step
    upscaling: Upscaling
    iterations: int
    seeds: int

    def checked(self) -> Self:
        """Raises ValueError for numbers of nothing."""
        for name in ("rounds", "iterations", "seeds"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name} ({getattr(self, name)}) must be at least 1")
        return self


USUAL = Sizes(
    rounds=5,
    loading_seconds=0.5,
    photograph=(1356, 2040),  # the usual size in DIV2K
    step=Step(64, 4, 32, batch_size=8, patch_size=128, iterations=3),
    gan=Step(64, 4, 32, batch_size=8, patch_size=128, iterations=1),
    upscaling=Upscaling(64, 6, 32, side=256, tile=128),
    iterations=1_000,
    seeds=3,
)
QUICK = Sizes(
    rounds=1,
    loading_seconds=0.02,
    photograph=(480, 600),
    step=Step(8, 1, 4, batch_size=2, patch_size=32, iterations=1),
    gan=Step(8, 1, 4, batch_size=2, patch_size=32, iterations=1),
    upscaling=Upscaling(8, 1, 4, side=48, tile=32),
    iterations=100,
    seeds=1,
)
PAPER_STEP = Step(64, 23, 32, batch_size=16, patch_size=128, iterations=1)
PAPER_UPSCALING = Upscaling(64, 23, 32, side=256, tile=128)
