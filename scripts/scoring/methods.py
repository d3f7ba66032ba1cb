"""What is evaluated: networks, folders of results, bicubic."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from esrgan import evaluation
from esrgan.data import Image, list_images, read_image
from esrgan.degradations import CONVENTIONS
from esrgan.evaluation import Method
from esrgan.inference import upscale
from esrgan.weights import Generator, load_generator
from scoring.benchmarks import Benchmark


def load_networks(sources: Mapping[str, Path | None], device: torch.device) -> dict[str, Generator]:
    files = {name: source for name, source in sources.items() if source and source.is_file()}
    return {name: load_generator(file).to(device) for name, file in files.items()}


def common_scale(networks: Mapping[str, Generator], asked: int | None) -> int:
    scales = {name: network.scale for name, network in networks.items()}
    if asked is not None:
        scales["--scale"] = asked
    if len(set(scales.values())) > 1:
        listed = ", ".join(f"{name} {scale}" for name, scale in scales.items())
        raise ValueError(f"the scales differ ({listed}): evaluate one scale at a time")
    return next(iter(scales.values()), 4)


def open_method(source: Path | None, network: Generator | None, benchmark: Benchmark) -> Method:
    if network is not None:
        return lambda _key, lq: run_network(network, lq)
    if source is None:
        resize = CONVENTIONS[benchmark.convention]
        scale = benchmark.pairs.scale
        return lambda _key, lq: resize(lq, scale)
    paths = evaluation.match_outputs(list_images(source), benchmark.keys)
    return lambda key, _lq: read_image(paths[key])


def run_network(network: Generator, lq: Image) -> Image:
    with naming_memory():
        return upscale(network, lq)


@contextmanager
def naming_memory() -> Iterator[None]:
    """What a GPU says that is too small, as an error of the command."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ValueError("it needs more memory than the GPU has: try --device cpu") from error
