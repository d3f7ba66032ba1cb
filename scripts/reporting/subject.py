"""What a report's figure is made of: networks, and images to try them on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scoring.benchmarks import Benchmark, open_benchmarks
from scoring.methods import common_scale, load_networks

from esrgan.data import Image
from esrgan.hardware import choose_device
from esrgan.settings import suggestion
from esrgan.weights import Generator, newest_weights
from reporting.runs import Run


@dataclass(frozen=True)
class Selection:
    """Some images of a benchmark."""

    benchmark: Benchmark
    indices: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def key(self, index: int) -> str:
        return self.benchmark.pairs.key(self.indices[index])

    def read(self, index: int) -> tuple[Image, Image]:
        return self.benchmark.pairs.read(self.indices[index])


class Subject(NamedTuple):
    """Runs, of those that have any the weights and the network by the run's name, and images."""

    runs: Sequence[Run]
    weights: Mapping[str, Path]
    networks: Mapping[str, Generator]
    scale: int
    selections: Sequence[Selection]

    @property
    def can_be_shown(self) -> bool:
        return bool(self.weights and self.selections)


def open_subject(
    runs: Sequence[Run],
    benchmarks: Sequence[str] | None,
    *,
    images: Sequence[str] | None,
    device: str | None,
) -> Subject:
    """Find and load everything, so that what can be refused has been.

    Args:
        runs: each stands for its newest release or checkpoint.
        benchmarks: as on the command line of evaluate.py; None: the images that the runs were
            validated on, if they are there.
        images: names, in order; None: all.
        device: of the networks; None: a GPU where there is one.

    Raises:
        ValueError: weights or a benchmark cannot be used, scales differ, or an image is in none.
    """
    found = {run.name: newest_weights(run.folder) for run in runs}
    weights = {name: file for name, file in found.items() if file is not None}
    networks = load_networks(weights, choose_device(device))
    scale = common_scale(networks, None)
    if benchmarks is None:
        sets = dict.fromkeys(run.settings.get("validation_set") for run in runs)
        benchmarks = [folder for folder in sets if folder is not None and Path(folder).is_dir()]
    opened = open_benchmarks(benchmarks, scale, None)
    selections = [Selection(benchmark, range(len(benchmark.pairs))) for benchmark in opened]
    if images is not None:
        selections = _select(selections, images)
    return Subject(runs, weights, networks, scale, selections)


def _select(selections: Sequence[Selection], images: Sequence[str]) -> list[Selection]:
    """One for each image asked for and benchmark that has it, in the order asked for."""
    known = list(dict.fromkeys(s.key(index) for s in selections for index in range(len(s))))
    for image in images:
        if known and image not in known:
            raise ValueError(f"--images: {image} is no image there: {suggestion(image, known)}")
    return [
        Selection(selection.benchmark, [index])
        for image in images
        for selection in selections
        for index in range(len(selection))
        if selection.key(index) == image
    ]
