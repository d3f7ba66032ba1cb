"""Score methods on benchmarks by the protocol of the papers, which the output names.

METHOD is one of
  bicubic   MATLAB's bicubic interpolation
  FILE      weights of a generator: .pth, .safetensors or a checkpoint of a run
  RUN       the folder of a run: its newest release or checkpoint
  FOLDER    results made elsewhere, named like the images: baby.png, babyx4.png, baby_RCAN_x4.png

BENCHMARK is one of
  FOLDER    that has HR (or GTmod12, GT, gt) and LRbicx4 (or LR_bicubic/X4, lq) in it
  GT:LQ     a folder of ground truth and a folder of low-resolution images
  FOLDER    of ground truth: the low-resolution images are made from it

example: evaluate.py bicubic experiments/esrgan --benchmark data/Set5 data/Set14 --output results
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from esrgan import evaluation
from esrgan.command_line import report_errors
from esrgan.data import FolderPairs, list_images, read_image, write_png
from esrgan.degradations import CONVENTIONS
from esrgan.evaluation import BenchmarkResult, Comparison, Method
from esrgan.inference import upscale
from esrgan.weights import Generator, load_generator

REPORTS = ("scores.json", "scores.md")
SHEET_IMAGES = 5  # of each benchmark


class Benchmark(NamedTuple):
    """What the methods are run on."""

    name: str
    pairs: FolderPairs
    lq_origin: str
    convention: str  # of MATLAB's bicubic, where it is a method


def main() -> None:
    try:
        evaluate(parse_arguments())
    except torch.OutOfMemoryError as error:
        raise ValueError("an image needs more memory than the GPU has: try --device cpu") from error


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("methods", nargs="+", metavar="METHOD")
    add("--benchmark", nargs="+", required=True, metavar="BENCHMARK")
    add("--scale", type=int, help="of bicubic and of folders; default: that of the weights, else 4")
    add("--crop", type=int, help="pixels left out on each side; default: the scale")
    add(
        "--convention",
        choices=sorted(CONVENTIONS),
        help="MATLAB's bicubic on uint8 images (EDSR, RCAN) or after im2double (ESRGAN, BasicSR); "
        "default: the one that made the low-resolution files, else double",
    )
    add("--device", help="cpu, cuda, cuda:1, ...; default: cuda where there is one, else cpu")
    add("--output", type=Path, metavar="FOLDER", help=f"write {' and '.join(REPORTS)} there")
    add("--save-images", type=Path, metavar="FOLDER", help="as FOLDER/BENCHMARK/METHOD/IMAGE.png")
    add("--sheet", type=Path, metavar="FILE.png", help="a picture that compares the methods")
    add("--overwrite", action="store_true", help="write over the files of an earlier evaluation")
    return parser.parse_args()


def evaluate(arguments: argparse.Namespace) -> None:
    refuse_to_overwrite(arguments)
    sources = evaluation.find_methods(arguments.methods)
    networks = load_networks(sources, arguments.device)
    scale = common_scale(networks, arguments.scale)
    crop = scale if arguments.crop is None else arguments.crop
    metrics = evaluation.standard_metrics(crop=crop)
    benchmarks = open_benchmarks(arguments.benchmark, scale, arguments.convention)
    methods = [
        {name: open_method(source, networks.get(name), b) for name, source in sources.items()}
        for b in benchmarks
    ]
    results, rows = [], []
    for benchmark, runs in zip(benchmarks, methods, strict=True):
        comparisons = evaluation.compare(runs, benchmark.pairs, metrics)
        scores: list[evaluation.Score] = []
        for number, comparison in enumerate(comparisons):
            print(f"{benchmark.name}: {comparison.key}", file=sys.stderr)
            scores += comparison.scores
            if arguments.save_images:
                save_images(comparison, arguments.save_images / benchmark.name)
            if arguments.sheet and number < SHEET_IMAGES:
                rows.append(evaluation.comparison_row(comparison, metric="PSNR-Y"))
        protocol = evaluation.describe_protocol(scale=scale, crop=crop, lq=benchmark.lq_origin)
        bicubic = f"MATLAB's, {benchmark.convention} convention"
        protocol |= {f"method {name}": str(file or bicubic) for name, file in sources.items()}
        results.append(BenchmarkResult(benchmark.name, protocol, tuple(scores)))
    write_reports(results, arguments.output)
    if arguments.sheet:
        arguments.sheet.parent.mkdir(parents=True, exist_ok=True)
        write_png(arguments.sheet, evaluation.comparison_sheet(rows), overwrite=True)


def refuse_to_overwrite(arguments: argparse.Namespace) -> None:
    """Before the work, not after it."""
    reports = [arguments.output / name for name in REPORTS] if arguments.output else []
    for path in (*reports, arguments.save_images, arguments.sheet):
        if path and path.exists() and not arguments.overwrite:
            raise ValueError(f"{path} exists: choose another name, or give --overwrite")


def load_networks(sources: Mapping[str, Path | None], device: str | None) -> dict[str, Generator]:
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    files = {name: source for name, source in sources.items() if source and source.is_file()}
    networks = {name: load_generator(file) for name, file in files.items()}
    try:
        return {name: network.to(device) for name, network in networks.items()}
    except (AssertionError, RuntimeError) as error:  # which of them depends on the build of torch
        raise ValueError(f"--device {device} cannot be used: {error}") from error


def common_scale(networks: Mapping[str, Generator], asked: int | None) -> int:
    scales = {name: network.scale for name, network in networks.items()}
    if asked is not None:
        scales["--scale"] = asked
    if len(set(scales.values())) > 1:
        listed = ", ".join(f"{name} {scale}" for name, scale in scales.items())
        raise ValueError(f"the scales differ ({listed}): evaluate one scale at a time")
    return next(iter(scales.values()), 4)


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


def open_method(source: Path | None, network: Generator | None, benchmark: Benchmark) -> Method:
    if network is not None:
        return lambda _key, lq: upscale(network, lq)
    pairs = benchmark.pairs
    if source is None:
        resize = CONVENTIONS[benchmark.convention]
        return lambda _key, lq: resize(lq, pairs.scale)
    keys = [pairs.key(index) for index in range(len(pairs))]
    paths = evaluation.match_outputs(list_images(source), keys)
    return lambda key, _lq: read_image(paths[key])


def save_images(comparison: Comparison, folder: Path) -> None:
    for name, sr in comparison.outputs.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        write_png(folder / name / f"{comparison.key}.png", sr, overwrite=True)


def write_reports(results: Sequence[BenchmarkResult], folder: Path | None) -> None:
    markdown = evaluation.as_markdown(results)
    print(markdown)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        data = json.dumps(evaluation.as_json(results), indent=2, allow_nan=False)
        for name, text in zip(REPORTS, (f"{data}\n", markdown), strict=True):
            (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(report_errors(main))
