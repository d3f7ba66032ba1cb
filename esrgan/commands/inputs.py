"""The networks and benchmarks that words of a command line stand for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from esrgan.data import FolderPairs
from esrgan.data.layouts import benchmark_name, pair_folders
from esrgan.degradations import CONVENTIONS
from esrgan.evaluation import Method
from esrgan.evaluation.benchmarks import Benchmark, recognise_bicubic

if TYPE_CHECKING:
    import torch

    from esrgan.weights import Generator


def open_networks(
    files: Mapping[str, Path], *, device: "torch.device", scale: int | None = None
) -> tuple[dict[str, Method], int]:
    """Those in files of weights, by their names, and the scale of all: 4 where nothing says it.

    Raises:
        ValueError: a file cannot be used, or is not of `scale` (of the option); or scales differ.
    """
    from esrgan.weights import load_generator, scale_of  # imports torch, which takes seconds

    opened = {name: load_generator(file, scale=scale) for name, file in files.items()}
    networks = {name: network.to(device) for name, network in opened.items()}
    scales = {name: scale_of(network) for name, network in networks.items()}
    if len(set(scales.values())) > 1:
        listed = ", ".join(f"{name} {scale}" for name, scale in scales.items())
        raise ValueError(f"the scales differ ({listed}): evaluate one scale at a time")
    methods = {name: _as_method(network) for name, network in networks.items()}
    return methods, next(iter(scales.values()), scale or 4)


def _as_method(network: "Generator") -> Method:
    from esrgan.inference import upscale

    return lambda _key, lq: upscale(network, lq)


def open_benchmarks(
    words: Sequence[str], *, scale: int, convention: str | None = None
) -> list[Benchmark]:
    """Those that words stand for, each as for `pair_folders`; no two may have one name.

    The convention is that of MATLAB's bicubic, None: the one that made the low-resolution files,
    else double.
    """
    opened = [_open_benchmark(word, scale=scale, convention=convention) for word in words]
    names = [benchmark.name for benchmark in opened]
    if len(set(names)) < len(names):
        raise ValueError(f"two benchmarks have one name ({', '.join(names)}): rename a folder")
    return opened


def _open_benchmark(word: str, *, scale: int, convention: str | None) -> Benchmark:
    gt, lq = pair_folders(word, scale=scale)
    if lq is None:
        chosen = convention or "double"
        pairs = FolderPairs(gt=gt, scale=scale, downscale=CONVENTIONS[chosen])
        origin = f"made here by MATLAB's bicubic, {chosen} convention"
    else:
        pairs = FolderPairs(gt=gt, lq=lq, scale=scale)
        made_by = recognise_bicubic(*pairs.read(0), CONVENTIONS)
        chosen = convention or made_by or "double"
        judged = f"MATLAB's bicubic, {made_by} convention" if made_by else "not MATLAB's bicubic"
        origin = f"{lq} (the first is {judged}, by comparison with gt)"
    return Benchmark(benchmark_name(gt), pairs, origin, chosen)
