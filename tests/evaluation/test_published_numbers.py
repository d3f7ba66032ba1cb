"""The metrics against numbers of the literature, on the files they were measured on."""

import pytest

from esrgan.commands.inputs import open_methods
from esrgan.data.folders import FolderPairs
from esrgan.data.images import read_image
from esrgan.degradations import CONVENTIONS, resize_double, resize_uint8
from esrgan.evaluation import METRICS, STANDARD, BenchmarkResult, compare, open_metrics
from esrgan.evaluation.benchmarks import Benchmark, recognise_bicubic


def evaluate(method, pairs, *, crop=4):
    metrics = open_metrics(STANDARD, crop=crop)
    scores = [s for c in compare({"it": method}, pairs, metrics) for s in c.scores]
    return BenchmarkResult("", {}, tuple(scores))


@pytest.fixture(scope="module")
def set5(reference_data):
    return FolderPairs(gt=reference_data / "set5/HR", lq=reference_data / "set5/LRbicx4", scale=4)


def test_the_released_results_of_rcan_have_the_values_of_its_paper(set5, reference_data):
    folder = reference_data / "set5/RCANplus_x4"
    files = {path.stem.split("_")[0]: path for path in folder.glob("*.png")}
    means = evaluate(lambda key, _lq: read_image(files[key]), set5).means()["it"]
    assert means[METRICS["PSNR-Y"]] == pytest.approx(32.7320, abs=5e-5)  # published: 32.73
    assert means[METRICS["SSIM-Y"]] == pytest.approx(0.90132, abs=5e-6)  # published: 0.9013


def test_bicubic_interpolation_has_the_known_values_on_set5(set5):
    means = evaluate(lambda _key, lq: resize_uint8(lq, 4), set5).means()["it"]
    assert means[METRICS["PSNR-Y"]] == pytest.approx(28.4302, abs=5e-5)
    assert means[METRICS["SSIM-Y"]] == pytest.approx(0.81114, abs=5e-6)


@pytest.mark.parametrize(
    ("scale", "psnr", "ssim"),
    [(4, 28.4207, 0.81037), (3, 30.3922, 0.86821), (2, 33.6614, 0.92988)],
)
def test_bicubic_of_luminance_has_the_values_of_most_papers(reference_data, scale, psnr, ssim):
    """As published since SRCNN: 28.42, 30.39 and 33.66 dB."""
    pairs = FolderPairs(gt=reference_data / "set5/HR", scale=scale, downscale=resize_double)
    benchmark = Benchmark("Set5", pairs, "", "double")
    method = open_methods({"bicubic-y": None}, {}, benchmark)["bicubic-y"]
    means = evaluate(method, pairs, crop=scale).means()["it"]
    assert means == {
        METRICS["PSNR-Y"]: pytest.approx(psnr, abs=5e-5),
        METRICS["SSIM-Y"]: pytest.approx(ssim, abs=5e-6),
    }


def test_bicubic_interpolation_has_basicsrs_values_in_the_other_convention(reference_data):
    folder = reference_data / "matlab_double"
    pairs = FolderPairs(gt=folder / "gt", lq=folder / "lq", scale=4)
    result = evaluate(lambda _key, lq: resize_double(lq, 4), pairs)
    baboon, comic = (list(score.values.values()) for score in result.scores)
    assert baboon == pytest.approx([22.441899, 0.453098, 20.419710, 0.391853], abs=5e-7)
    assert comic == pytest.approx([21.720398, 0.585511, 20.239912, 0.567738], abs=5e-7)


def test_the_convention_of_benchmark_files_is_recognised(set5, reference_data):
    folder = reference_data / "matlab_double"
    other = FolderPairs(gt=folder / "gt", lq=folder / "lq", scale=4)
    assert recognise_bicubic(*set5.read(0), CONVENTIONS) == "uint8"
    assert recognise_bicubic(*other.read(0), CONVENTIONS) == "double"
    lq, gt = set5.read(0)
    assert recognise_bicubic(255 - lq, gt, CONVENTIONS) is None
