r"""Score methods on benchmarks by the protocol of the papers, which the output names.

METHOD is one of
  bicubic   MATLAB's bicubic interpolation, of R, G and B; at scale 1, the damaged image itself
  bicubic-y the same of Y alone, shrunk and enlarged without rounding: the rows of most papers
  FILE      weights of a generator: .pth, .safetensors or a checkpoint of a run
  RUN       the folder of a run: its newest release or checkpoint
  FOLDER    results made elsewhere, named like the images: baby.png, babyx4.png, baby_RCAN_x4.png

BENCHMARK is one of
  FOLDER    that has HR (or GTmod12, GT, gt) and LRbicx4 (or LR_bicubic/X4, LR/x4, lq) in it, or
            SelfExSR's image_SRF_4; or RCAN's HR/Set5, whose other half is LR/LRBI/Set5/x4
  GT:LQ     a folder of ground truth and a folder of low-resolution images
  FOLDER    of ground truth, or that has HR alone: the low-resolution images are made from it

--metrics are some of
  PSNR-Y SSIM-Y PSNR-RGB SSIM-RGB   the default
  COLOR-DRIFT                       how far the colours of large areas are from the truth
  BRIGHTNESS CONTRAST               how much brighter, and how flat, the whole image is
  LPIPS LPIPS-VGG DISTS             by AlexNet or VGG16, downloaded once, or of --alexnet, --vgg16
  NIQE      needs no reference: the ground truth (GT) has a row, too; `download_data.py niqe`
            fetches its parameters
  MA PI     the score of Ma et al. from --ma-scores, and the perceptual index, (10 - MA + NIQE) / 2
  RMSE-Y    of the PIRM challenge; with PI, the region that a method belongs to is named
  a.b.NAME  a metric of your own: the esrgan.evaluation.Metric NAME in the module a.b

example: evaluate.py bicubic experiments/esrgan --benchmark data/Set5 data/Set14 --output results
example: evaluate.py experiments/rrdb_psnr experiments/esrgan --benchmark data/Set14 \
    --metrics PSNR-Y NIQE LPIPS --sheet sheet.png --crop-at baboon:100,60,96 --page page.html
"""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from esrgan.commands import DEVICE_HELP, inputs
from esrgan.data import write_png
from esrgan.degradations import CONVENTIONS
from esrgan.errors import refuse_alone, refuse_below_one, report_errors
from esrgan.evaluation import METRICS, STANDARD, Comparison, Metric, Score, compare
from esrgan.evaluation.benchmarks import Benchmark, BenchmarkResult, find_methods
from esrgan.evaluation.ma_scores import DERIVED, NIQE, PI, MaScores, with_parts, with_regions
from esrgan.evaluation.metrics import (
    NIQE_MODEL,
    border_of,
    describe_protocol,
    find_metric,
    open_metrics,
)
from esrgan.files import GIVE_OVERWRITE, check_target, refuse_existing
from esrgan.reports import sheet
from esrgan.reports.page import Page, open_page, size_warning
from esrgan.reports.tables import SCORE_FILES, as_markdown, write_scores
from esrgan.runs import RunFolder

_CAPTIONS = ("PSNR-Y", "SSIM-Y")  # of the default metrics
_NEEDS = dict.fromkeys(("sheet_images", "crop_at", "crop_size"), ("sheet",))
_NEEDS["page_images"] = ("page",)
_NETWORKS = {"alexnet": ("LPIPS",), "vgg16": ("LPIPS-VGG", "DISTS")}  # and what they are for


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line asks for; its help says what each is."""

    methods: list[str]
    benchmark: list[str]
    metrics: list[Metric]
    captions: list[Metric]
    scale: int | None
    crop: int | None
    convention: str | None
    device: str | None
    niqe_model: Path | None
    features: dict[str, str]
    ma_scores: Path | None
    per_image: bool
    output: Path | None
    save_images: Path | None
    sheet: Path | None
    sheet_images: list[str] | None
    crop_at: list[str] | None
    crop_size: int | None
    page: Path | None
    page_images: int | None
    overwrite: bool


def main(argv: Sequence[str] | None = None) -> int:
    return report_errors(lambda: evaluate(parse_arguments(argv)))


def parse_arguments(argv: Sequence[str] | None) -> Arguments:
    """Refuses what cannot be used together, and what would write over something."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    _add_protocol(parser)
    _add_outputs(parser)
    given = vars(parser.parse_args(argv))
    asked = given.pop("metrics")
    features = {name: file for name in _NETWORKS if (file := given.pop(name))}
    measured, captions = (
        list(dict.fromkeys(DERIVED.get(n.upper()) or find_metric(n) for n in asked or names))
        for names in (STANDARD, _CAPTIONS)
    )
    arguments = Arguments(**given, metrics=measured, captions=captions, features=features)
    _refuse_options(arguments)
    _refuse_targets(arguments)
    return arguments


def _add_protocol(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("methods", nargs="+", metavar="METHOD")
    add("--benchmark", nargs="+", required=True, metavar="BENCHMARK")
    text = f"of {', '.join([*METRICS, *DERIVED])}; default: {', '.join(STANDARD)}"
    add("--metrics", nargs="+", metavar="NAME", help=text)
    text = "of bicubic, folders, and older RRDB files of x3; default: that of the weights, else 4"
    add("--scale", type=int, help=text)
    add("--crop", type=int, help="pixels left out on each side; default: the scale; at 1, none")
    text = (
        "MATLAB's bicubic on uint8 images (EDSR, RCAN) or after im2double (ESRGAN, BasicSR); "
        "default: the one that made the low-resolution files, else double"
    )
    add("--convention", choices=sorted(CONVENTIONS), help=text)
    add("--device", help=DEVICE_HELP)
    add("--niqe-model", type=Path, metavar="FILE", help=f"default: {NIQE_MODEL}")
    text = (
        "its weights (.pth, .safetensors; features are enough); default: torchvision downloads them"
    )
    for network in _NETWORKS:
        add(f"--{network}", metavar="FILE", help=text)
    text = (
        "for MA and PI: CSV with the columns image, method, score (and benchmark, where names "
        "recur), or JSON, a list of such objects; method GT is the ground truth. The authors' "
        "MATLAB code makes the scores, of files that --save-images writes"
    )
    add("--ma-scores", type=Path, metavar="FILE", help=text)


def _add_outputs(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("what is written").add_argument
    add("--per-image", action="store_true", help="print the values of each image, too")
    add("--output", type=Path, metavar="FOLDER", help=f"write {' and '.join(SCORE_FILES)} there")
    add("--save-images", type=Path, metavar="FOLDER", help="as FOLDER/BENCHMARK/METHOD/IMAGE.png")
    add("--sheet", type=Path, metavar="FILE.png", help="crops of all methods side by side")
    text = (
        f"cropped where the methods differ most; default: the first {sheet.NUM_IMAGES} of "
        "each benchmark, unless --crop-at names others"
    )
    add("--sheet-images", nargs="+", metavar="IMAGE", help=text)
    add("--crop-at", nargs="+", metavar="IMAGE:TOP,LEFT[,SIZE]", help="crops for the sheet")
    add("--crop-size", type=int, metavar="N", help=f"in pixels; default: {sheet.CROP_SIZE}")
    add("--page", type=Path, metavar="FILE.html", help="images under a slider, for a browser")
    add("--page-images", type=int, metavar="N", help="the first of each benchmark; default: all")
    add("--overwrite", action="store_true", help="write over the files of an earlier evaluation")


def _refuse_options(arguments: Arguments) -> None:
    refuse_alone(arguments, _NEEDS)
    refuse_below_one({"crop-size": arguments.crop_size, "page-images": arguments.page_images})
    by_ma = sorted(metric.name for metric in arguments.metrics if metric in DERIVED.values())
    if by_ma and arguments.ma_scores is None:
        raise ValueError(f"--metrics {' '.join(by_ma)} needs --ma-scores FILE")
    if arguments.ma_scores and not by_ma:
        raise ValueError("--ma-scores has no effect without MA or PI among --metrics")
    if arguments.niqe_model and not {NIQE, PI} & set(arguments.metrics):
        raise ValueError("--niqe-model has no effect without NIQE or PI among --metrics")
    for network in arguments.features:
        if not {METRICS[name] for name in _NETWORKS[network]} & set(arguments.metrics):
            needed = " or ".join(_NETWORKS[network])
            raise ValueError(f"--{network} has no effect without {needed} among --metrics")


def _refuse_targets(arguments: Arguments) -> None:
    overwrite, images, output = arguments.overwrite, arguments.save_images, arguments.output
    for path in [output / name for name in SCORE_FILES] if output else []:
        check_target(path, overwrite=overwrite)
    for target, suffix in ((arguments.sheet, ".png"), (arguments.page, ".html")):
        if target:
            check_target(target, overwrite=overwrite, suffixes=(suffix,))
    if images:
        if not overwrite:
            refuse_existing(images, fix=GIVE_OVERWRITE)
        check_target(images / "image", overwrite=True)


def evaluate(arguments: Arguments) -> None:
    """Opens everything before anything is computed: what is missing is said at once."""
    from esrgan.hardware import choose_device  # imports torch, which takes seconds

    sources = find_methods(arguments.methods, lambda path: RunFolder(path).newest_weights())
    device = choose_device(arguments.device)
    weights = {name: source for name, source in sources.items() if source and source.is_file()}
    networks, scale = inputs.open_networks(weights, device=device, scale=arguments.scale)
    crop = border_of(scale) if arguments.crop is None else arguments.crop
    opened = inputs.open_benchmarks(
        arguments.benchmark, scale=scale, convention=arguments.convention
    )
    ma_scores = MaScores(arguments.ma_scores) if arguments.ma_scores else None
    needed = with_parts(arguments.metrics) if ma_scores else arguments.metrics
    measured = [metric for metric in needed if metric not in DERIVED.values()]
    measures = open_metrics(
        measured,
        crop=crop,
        device=device,
        niqe_model=arguments.niqe_model,
        **arguments.features,
    )
    work = []
    for benchmark in opened:
        protocol = describe_protocol(needed, scale=scale, crop=crop, lq=benchmark.lq_origin)
        protocol |= {f"weights of {name}": file for name, file in arguments.features.items()}
        protocol |= inputs.about_methods(sources, benchmark)
        methods = inputs.open_methods(sources, networks, benchmark)
        compared = compare(methods, benchmark.pairs, measures)
        if ma_scores:
            ma_scores.check(benchmark.name, benchmark.keys, sources)
            compared = ma_scores.complete(benchmark.name, compared, arguments.metrics)
        work.append((benchmark, protocol, compared))
    crops: sheet.Crops = {}
    if arguments.sheet:
        crops = sheet.choose_crops(
            opened,
            images=arguments.sheet_images,
            crop_at=arguments.crop_at,
            size=arguments.crop_size or sheet.CROP_SIZE,
        )
    with _open_page(arguments, opened, list(sources)) as page:
        outputs = _Outputs(arguments, crops, page)
        results = [
            BenchmarkResult(benchmark.name, protocol, outputs.take(benchmark, compared))
            for benchmark, protocol, compared in work
        ]
        outputs.finish([with_regions(r) for r in results] if ma_scores else results)


def _open_page(
    arguments: Arguments, opened: Sequence[Benchmark], methods: Sequence[str]
) -> AbstractContextManager[Page | None]:
    if arguments.page is None:
        return nullcontext()
    warning = size_warning(opened, arguments.page_images, num_methods=len(methods))
    if warning:
        sys.stderr.write(f"warning: {warning}\n")
    arguments.page.parent.mkdir(parents=True, exist_ok=True)
    title = f"{', '.join(methods)} on {', '.join(benchmark.name for benchmark in opened)}"
    return open_page(arguments.page, title=title, overwrite=arguments.overwrite)


@dataclass(frozen=True)
class _Outputs:
    """What is left of an evaluation: takes images one at a time, and then the results."""

    arguments: Arguments
    crops: sheet.Crops
    page: Page | None
    rows: list[sheet.SheetRow] = field(default_factory=list)

    def take(self, benchmark: Benchmark, compared: Iterable[Comparison]) -> tuple[Score, ...]:
        """Makes what is shown of each image, and returns the scores of all."""
        arguments, name = self.arguments, benchmark.name
        scores: list[Score] = []
        for number, comparison in enumerate(compared, start=1):
            sys.stderr.write(f"{name} {number}/{len(benchmark.pairs)}: {comparison.key}\n")
            scores += comparison.scores
            if arguments.save_images:
                _save_images(comparison, arguments.save_images / name)
            for crop in self.crops.get((name, comparison.key), ()):
                row = sheet.comparison_row(comparison, crop, metrics=arguments.captions)
                self.rows.append(row)
            if self.page and number <= (arguments.page_images or number):
                self.page.add(name, comparison)
        return tuple(scores)

    def finish(self, results: Sequence[BenchmarkResult]) -> None:
        arguments = self.arguments
        sys.stdout.write(as_markdown(results, per_image=arguments.per_image) + "\n")
        if arguments.output:
            write_scores(results, arguments.output)
        if arguments.sheet:
            arguments.sheet.parent.mkdir(parents=True, exist_ok=True)
            picture = sheet.comparison_sheet(self.rows)
            write_png(arguments.sheet, picture, overwrite=arguments.overwrite)
        if self.page:
            self.page.finish(results)


def _save_images(comparison: Comparison, folder: Path) -> None:
    for name, sr in comparison.outputs.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        write_png(folder / name / f"{comparison.key}.png", sr, overwrite=True)
