"""The networks and benchmarks that words of a command line stand for."""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from esrgan.data import FolderPairs, list_images, read_image
from esrgan.data.layouts import benchmark_name, pair_folders
from esrgan.degradations import CONVENTIONS, shrink_and_enlarge
from esrgan.evaluation import Method
from esrgan.evaluation.benchmarks import (
    BICUBIC,
    BICUBIC_Y,
    Benchmark,
    OfLuminance,
    match_outputs,
    recognise_bicubic,
)

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
    # imports torch, which takes seconds
    from esrgan.weights import load_generator, origin_of, scale_of

    opened = {name: load_generator(file, scale=scale) for name, file in files.items()}
    for name, network in opened.items():
        if origin := origin_of(network):
            sys.stderr.write(f"{name}: {origin}\n")
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


def open_methods(
    sources: Mapping[str, Path | None], networks: Mapping[str, Method], benchmark: Benchmark
) -> dict[str, Method | OfLuminance]:
    """Of the methods that words stand for, those that are no networks are opened here."""
    return {
        name: networks.get(name) or _open_method(name, source, benchmark)
        for name, source in sources.items()
    }


def _open_method(name: str, source: Path | None, benchmark: Benchmark) -> Method | OfLuminance:
    """A folder of results or, without one, bicubic."""
    scale = benchmark.pairs.scale
    if source is not None:
        paths = match_outputs(list_images(source), benchmark.keys, scale=scale)
        return lambda key, _lq: read_image(paths[key])
    if name == BICUBIC_Y:
        if scale == 1:
            raise ValueError(
                f"{BICUBIC_Y} is made of the ground truth, which it would be at scale 1: take "
                f"{BICUBIC}, which is the damaged image there"
            )
        return OfLuminance(partial(shrink_and_enlarge, scale=scale))
    resize = CONVENTIONS[benchmark.convention]
    return lambda _key, lq: resize(lq, scale)


def about_methods(sources: Mapping[str, Path | None], benchmark: Benchmark) -> dict[str, str]:
    """What the protocol says of methods: their files, and which bicubic it is."""
    bicubic = f"MATLAB's, {benchmark.convention} convention, of R, G and B"
    if benchmark.pairs.scale == 1:
        bicubic = "the damaged image itself, as nothing is enlarged"
    of_y = (
        "MATLAB's, of Y in whole levels, shrunk and enlarged without rounding in between, scored "
        "on Y in whole levels"
    )
    return {
        f"method {name}": str(source or (of_y if name == BICUBIC_Y else bicubic))
        for name, source in sources.items()
    }


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
    elif scale == 1:
        pairs, origin, chosen = FolderPairs(gt=gt, lq=lq, scale=1), str(lq), convention or "double"
    else:
        pairs = FolderPairs(gt=gt, lq=lq, scale=scale)
        made_by = recognise_bicubic(*pairs.read(0), CONVENTIONS)
        chosen = convention or made_by or "double"
        judged = f"MATLAB's bicubic, {made_by} convention" if made_by else "not MATLAB's bicubic"
        origin = f"{lq} (the first is {judged}, by comparison with gt)"
    return Benchmark(benchmark_name(gt), pairs, origin, chosen)
