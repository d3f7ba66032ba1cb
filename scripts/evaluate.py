r"""Score methods on benchmarks by the protocol of the papers, which the output names.

METHOD is one of
  bicubic   MATLAB's bicubic interpolation
  FILE      weights of a generator: .pth, .safetensors or a checkpoint of a run
  RUN       the folder of a run: its newest release or checkpoint
  FOLDER    results made elsewhere, named like the images: baby.png, babyx4.png, baby_RCAN_x4.png

BENCHMARK is one of
  FOLDER    that has HR (or GTmod12, GT, gt) and LRbicx4 (or LR_bicubic/X4, lq) in it
  GT:LQ     a folder of ground truth and a folder of low-resolution images
  FOLDER    of ground truth, or that has HR alone: the low-resolution images are made from it

--metrics are some of
  PSNR-Y SSIM-Y PSNR-RGB SSIM-RGB   the default
  LPIPS LPIPS-VGG DISTS             by networks that torchvision downloads on first use
  NIQE      needs no reference: the ground truth (GT) has a row, too; `download_data.py niqe`
            fetches its parameters
  MA PI     the score of Ma et al. from --ma-scores, and the perceptual index, (10 - MA + NIQE) / 2
  RMSE-Y    of the PIRM challenge; with PI, the region that a method belongs to is named

example: evaluate.py bicubic experiments/esrgan --benchmark data/Set5 data/Set14 --output results
example: evaluate.py experiments/rrdb_psnr experiments/esrgan --benchmark data/Set14 \
    --metrics PSNR-Y NIQE LPIPS --sheet sheet.png --crop-at baboon:100,60,96 --page page.html
"""

import sys
from collections.abc import Mapping
from dataclasses import replace

from scoring.arguments import NIQE_MODEL, parse_arguments
from scoring.benchmarks import Benchmark, open_benchmarks
from scoring.methods import common_scale, load_networks, open_method
from scoring.metrics import Metrics, describe_regions, open_metrics
from scoring.outputs import Outputs, open_outputs

from esrgan import evaluation
from esrgan.command_line import report_errors
from esrgan.evaluation import BenchmarkResult, Method
from esrgan.hardware import choose_device
from esrgan.weights import newest_weights

AVERAGES = {"RMSE-Y": evaluation.root_mean_square}


def main() -> None:
    arguments = parse_arguments(__doc__)
    sources = evaluation.find_methods(arguments.methods, newest_weights)
    device = choose_device(arguments.device)
    networks = load_networks(sources, device)
    scale = common_scale(networks, arguments.scale)
    crop = scale if arguments.crop is None else arguments.crop
    benchmarks = open_benchmarks(arguments.benchmark, scale, arguments.convention)
    metrics = open_metrics(
        arguments.metrics,
        crop=crop,
        device=device,
        niqe_model=arguments.niqe_model or NIQE_MODEL,
        ma_scores=arguments.ma_scores,
    )
    # Everything is opened before anything is computed: what is missing is said at once.
    methods = []
    for benchmark in benchmarks:
        metrics.check(benchmark, sources)
        found = {name: open_method(s, networks.get(name), benchmark) for name, s in sources.items()}
        methods.append(found)
    with open_outputs(arguments, benchmarks, sources) as outputs:
        results = []
        for benchmark, runs in zip(benchmarks, methods, strict=True):
            protocol = evaluation.describe_protocol(
                scale=scale, crop=crop, lq=benchmark.lq_origin, metrics=arguments.metrics
            )
            bicubic = f"MATLAB's, {benchmark.convention} convention"
            protocol |= {f"method {name}": str(file or bicubic) for name, file in sources.items()}
            results.append(score(benchmark, runs, metrics, protocol, outputs))
        outputs.finish(results)


def score(
    benchmark: Benchmark,
    methods: Mapping[str, Method],
    metrics: Metrics,
    protocol: Mapping[str, str],
    outputs: Outputs,
) -> BenchmarkResult:
    """Runs and measures all; the protocol of the result names the regions of PIRM, too."""
    scores: list[evaluation.Score] = []
    comparisons = evaluation.compare(
        methods, benchmark.pairs, metrics.full_reference, metrics.no_reference
    )
    for number, measured in enumerate(comparisons, start=1):
        comparison = metrics.complete(benchmark.name, measured)
        print(
            f"{benchmark.name} {number}/{len(benchmark.pairs)}: {comparison.key}", file=sys.stderr
        )
        scores += comparison.scores
        outputs.add(benchmark.name, number, comparison)
    result = BenchmarkResult(benchmark.name, protocol, tuple(scores), AVERAGES)
    return replace(result, protocol={**protocol, **describe_regions(result.means())})


if __name__ == "__main__":
    sys.exit(report_errors(main))
