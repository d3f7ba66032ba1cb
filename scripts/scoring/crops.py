"""Which parts of which images the sheet shows."""

from collections.abc import Sequence
from typing import NamedTuple

from esrgan.settings import suggestion
from scoring.benchmarks import Benchmark


class Crop(NamedTuple):
    """A square of an image, in pixels of the ground truth; `at` is its top and left, if chosen."""

    image: str
    size: int
    at: tuple[int, int] | None = None


def parse_crop(text: str, size: int) -> Crop:
    """IMAGE:TOP,LEFT or IMAGE:TOP,LEFT,SIZE."""
    image, _, place = text.rpartition(":")
    try:
        top, left, *chosen = map(int, place.split(","))
        (side,) = chosen or [size]
    except ValueError as error:
        raise ValueError(
            f"--crop-at {text} must be IMAGE:TOP,LEFT or IMAGE:TOP,LEFT,SIZE"
        ) from error
    return Crop(image, side, (top, left))


def choose_crops(
    benchmarks: Sequence[Benchmark],
    *,
    images: Sequence[str],
    crop_at: Sequence[str],
    size: int,
    default: int,
) -> dict[tuple[str, str], list[Crop]]:
    """The crops by benchmark and image: of those named, else of the first `default` of each.

    Raises:
        ValueError: an image is in no benchmark, or a square is not inside it.
    """
    crops = [*(parse_crop(text, size) for text in crop_at), *(Crop(name, size) for name in images)]
    if not crops:
        return {(b.name, key): [Crop(key, size)] for b in benchmarks for key in b.keys[:default]}
    known = {key for benchmark in benchmarks for key in benchmark.keys}
    chosen: dict[tuple[str, str], list[Crop]] = {}
    for crop in crops:
        if crop.image not in known:
            raise ValueError(f"{crop.image} is no image there: {suggestion(crop.image, known)}")
        for benchmark in benchmarks:
            if crop.image in benchmark.keys:
                _check(crop, benchmark)
                chosen.setdefault((benchmark.name, crop.image), []).append(crop)
    return chosen


def _check(crop: Crop, benchmark: Benchmark) -> None:
    """What the sheet would refuse, but only once the image is reached."""
    pairs = benchmark.pairs
    height, width = (n * pairs.scale for n in pairs.lq_size(benchmark.keys.index(crop.image)))
    top, left = crop.at or (0, 0)
    bottom, right = top + min(crop.size, height), left + min(crop.size, width)
    if not (crop.size > 0 and top >= 0 and left >= 0 and bottom <= height and right <= width):
        raise ValueError(
            f"--crop-at: {crop.size} pixels from top {top}, left {left} must lie inside "
            f"{crop.image} (height {height}, width {width})"
        )
