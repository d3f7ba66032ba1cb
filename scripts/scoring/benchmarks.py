"""What the methods are run on."""

from collections.abc import Sequence
from typing import NamedTuple

from esrgan import evaluation
from esrgan.data import FolderPairs
from esrgan.degradations import CONVENTIONS


class Benchmark(NamedTuple):
    """Images, where the low-resolution ones came from, and how bicubic enlarges them."""

    name: str
    pairs: FolderPairs
    lq_origin: str
    convention: str  # of MATLAB's bicubic, where it is a method

    @property
    def keys(self) -> list[str]:
        return [self.pairs.key(index) for index in range(len(self.pairs))]


def open_benchmarks(texts: Sequence[str], scale: int, convention: str | None) -> list[Benchmark]:
    benchmarks = [open_benchmark(text, scale, convention) for text in texts]
    names = [benchmark.name for benchmark in benchmarks]
    if len(set(names)) < len(names):
        raise ValueError(f"two benchmarks have one name ({', '.join(names)}): rename a folder")
    return benchmarks


def open_benchmark(text: str, scale: int, convention: str | None) -> Benchmark:
    gt, lq = evaluation.benchmark_folders(text, scale=scale)
    if lq is None:
        convention = convention or "double"
        resize = CONVENTIONS[convention]
        pairs = FolderPairs(gt=gt, scale=scale, downscale=resize)
        origin = f"made here by MATLAB's bicubic, {convention} convention"
    else:
        pairs = FolderPairs(gt=gt, lq=lq, scale=scale)
        made_by = evaluation.recognise_bicubic(*pairs.read(0), CONVENTIONS)
        convention = convention or made_by or "double"
        judged = f"MATLAB's bicubic, {made_by} convention" if made_by else "not MATLAB's bicubic"
        origin = f"{lq} (the first is {judged}, by comparison with gt)"
    return Benchmark(evaluation.benchmark_name(gt), pairs, origin, convention)
