"""Benchmarks: the images and methods that words stand for, and how methods compare on them."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from esrgan.evaluation.full_reference import rounded_y
from esrgan.evaluation.metrics import Measure, Metric
from esrgan.types import Image, ImagePairs, Resize, WholeImages

GROUND_TRUTH, LQ = "GT", "LQ"
"""How two images are called that no method made. GT is scored by metrics without reference."""

_TRUTH = re.compile(r"(?<=.)(_srf_\d)?[-_. ](hr|gt)([-_. ]?x\d)?\Z")  # that a key is of one
_ENDING = re.compile(r"(x\d+|[^0-9a-z].*)?", re.DOTALL)  # of the names of results, after an image's

Method = Callable[[str, Image], Image]
"""From an image's key and its low-quality version (lq) to a result (sr).

A network ignores the key. A folder of results made elsewhere ignores lq.
"""
BICUBIC, BICUBIC_Y = "bicubic", "bicubic-y"
"""The methods that are no file and no folder."""


class OfLuminance:
    """A method that is given the luminance of the ground truth, and makes its own input of it.

    It is scored by metrics of Y alone, in whole levels, as the first papers did.

    Args:
        enlarge: from Y, uint8 (H, W), to a result of the same size.
    """

    def __init__(self, enlarge: Callable[[Image], Image]) -> None:
        self.enlarge = enlarge


@dataclass(frozen=True)
class Score:
    """Of one method on one image; the ground truth may have one, too."""

    image: str
    method: str
    values: Mapping[Metric, float]


@dataclass(frozen=True)
class Comparison:
    """What all methods made of one image, in the order of the methods."""

    key: str
    lq: Image
    gt: Image
    outputs: Mapping[str, Image]
    scores: tuple[Score, ...]

    def images(self) -> dict[str, Image]:
        """LQ, the methods' outputs in their order, GT; a method may have neither of these names."""
        for name in (LQ, GROUND_TRUTH):
            if name in self.outputs:
                raise ValueError(f"no method may be called {name}, which names an image: rename it")
        return {LQ: self.lq, **self.outputs, GROUND_TRUTH: self.gt}


@dataclass(frozen=True)
class BenchmarkResult:
    """The scores of a benchmark. `protocol` says in words how they were obtained."""

    name: str
    protocol: Mapping[str, str]
    scores: tuple[Score, ...]

    @property
    def metrics(self) -> list[Metric]:
        return list(dict.fromkeys(metric for score in self.scores for metric in score.values))

    @property
    def num_images(self) -> int:
        return len({score.image for score in self.scores})

    def means(self) -> dict[str, dict[Metric, float]]:
        """For each method and metric, the mean over the images of the per-image values.

        That is the convention of the field; the PSNR of the mean error would be another number.
        A metric that a method lacks on some image has no mean.
        """
        means = {}
        for method in dict.fromkeys(score.method for score in self.scores):
            rows = [score.values for score in self.scores if score.method == method]
            complete = [metric for metric in rows[0] if all(metric in row for row in rows)]
            means[method] = {m: m.average([row[m] for row in rows]) for m in complete}
        return means


def compare(
    methods: Mapping[str, Method | OfLuminance],
    pairs: WholeImages,
    metrics: Mapping[Metric, Measure],
) -> Iterator[Comparison]:
    """Runs every method on every image, one image at a time.

    Raises:
        ValueError: a method or a metric refused an image, or a GPU is too small for it; the
            message names both.
    """
    no_reference = {m: measure for m, measure in metrics.items() if not m.needs_reference}
    for index in range(len(pairs)):
        key = pairs.key(index)
        lq, gt = pairs.read(index)
        truth = gt[..., :1] if pairs.is_grey(index) else gt
        outputs, scores = {}, []
        for name, method in methods.items():
            with _naming(name, key):
                if isinstance(method, OfLuminance):
                    y = rounded_y(truth).astype(np.uint8)
                    sr = np.repeat(method.enlarge(y)[..., np.newaxis], 3, axis=2)
                    on_y = {m: measure for m, measure in metrics.items() if m.name.endswith("-Y")}
                    values = {metric: f(sr, y[..., np.newaxis]) for metric, f in on_y.items()}
                else:
                    sr = method(key, lq)
                    values = {metric: measure(sr, truth) for metric, measure in metrics.items()}
                outputs[name] = sr
            scores.append(Score(key, name, values))
        if no_reference:
            with _naming(GROUND_TRUTH, key):
                values = {metric: measure(gt, truth) for metric, measure in no_reference.items()}
            scores.append(Score(key, GROUND_TRUTH, values))
        yield Comparison(key, lq, gt, outputs, tuple(scores))


@contextmanager
def _naming(method: str, image: str) -> Iterator[None]:
    from esrgan.hardware import naming_memory  # imports torch, which takes seconds

    try:
        with naming_memory():
            yield
    except ValueError as error:
        raise ValueError(f"{method} on {image}: {error}") from error


@dataclass(frozen=True)
class Benchmark:
    """Images, where the low-resolution ones came from, and how bicubic enlarges them."""

    name: str
    pairs: ImagePairs
    lq_origin: str
    convention: str  # of MATLAB's bicubic, where it is a method

    @property
    def keys(self) -> list[str]:
        return [self.pairs.key(index) for index in range(len(self.pairs))]

    def gt_sizes(self) -> dict[str, tuple[int, int]]:
        """Height and width of each ground truth by its key."""
        scale, lq_size = self.pairs.scale, self.pairs.lq_size
        sizes = [lq_size(index) for index in range(len(self.pairs))]
        return {key: (h * scale, w * scale) for key, (h, w) in zip(self.keys, sizes, strict=True)}


def recognise_bicubic(lq: Image, gt: Image, conventions: Mapping[str, Resize]) -> str | None:
    """The name of the resizing that makes `lq` of `gt`, byte for byte, if one does."""
    scale = lq.shape[0] / gt.shape[0]
    makes = (name for name, resize in conventions.items() if np.array_equal(resize(gt, scale), lq))
    return next(makes, None)


def match_outputs(files: Sequence[Path], keys: Iterable[str], *, scale: int) -> dict[str, Path]:
    """The one result of each key: `baby` in baby.png, babyx4.png, baby_x4.png or baby_RCAN_x4.png.

    Of a key as baby_HR_x4 or img_001_SRF_4_HR the results may be of `baby` and `img_001`, too.

    A file belongs to the longest key that fits, so `img_1_2.png` is never taken for `img_1`.
    Files that fit none are left out.
    """
    found: dict[str, list[Path]] = {key: [] for key in keys}
    by_form = {_TRUTH.sub("", _form(key)): key for key in found}
    by_form |= {_form(key): key for key in found}
    for file in files:
        key = _fitting(_form(file.stem), by_form)
        if key is not None:
            found[key].append(file)
    problems = [
        f"{key} ({', '.join(file.name for file in candidates) or 'none'})"
        for key, candidates in found.items()
        if len(candidates) != 1
    ]
    if problems:
        folder = files[0].parent if files else "an empty folder"
        raise ValueError(
            f"{folder} must hold one result for each image, named like IMAGE.png or "
            f"IMAGE_x{scale}.png; found for {', '.join(problems)}"
        )
    return {key: candidates[0] for key, candidates in found.items()}


def find_methods(
    words: Iterable[str], newest_weights: Callable[[Path], Path | None]
) -> dict[str, Path | None]:
    """For each word on the command line a short name, and a file of weights or folder of results.

    `bicubic` and `bicubic-y` have none. A folder for which `newest_weights` has a file is a run,
    and stands for it. No two may have the same name, and none that of an image.
    """
    found: dict[str, Path | None] = {}
    for word in words:
        path = Path(word)
        is_bicubic = word in (BICUBIC, BICUBIC_Y)
        if not path.exists() and not is_bicubic:
            known = f"`{BICUBIC}`, `{BICUBIC_Y}`"
            raise ValueError(f"{word} must be {known}, a file of weights or a folder: it is none")
        name = path.stem if path.is_file() else path.resolve().name
        if name in (GROUND_TRUTH, LQ):
            raise ValueError(f"{word} would be called {name}, which names an image: rename it")
        if name in found:
            raise ValueError(f"two methods would be called {name} ({word} is one): rename one")
        found[name] = None if is_bicubic else newest_weights(path) or path
    return found


def _fitting(stem: str, keys: Mapping[str, str]) -> str | None:
    """The longest of the keys that a name begins with, before what programs put there."""
    for length in range(len(stem), 0, -1):
        if stem[:length] in keys and _ENDING.fullmatch(stem, length):
            return keys[stem[:length]]
    return None


def _form(name: str) -> str:
    """One form for names that differ in capitals, or in how Unicode writes them, only."""
    return unicodedata.normalize("NFC", name).lower()
