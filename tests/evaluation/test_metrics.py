import math
import subprocess
import sys

import numpy as np
import pytest

from esrgan.evaluation import METRICS, STANDARD, find_metric, open_metrics, psnr_y
from esrgan.evaluation.ma_scores import MA, PI, with_parts
from esrgan.evaluation.metrics import describe_protocol


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("PSNR-Y", 28.426, "28.43"),
        ("SSIM-RGB", 0.81114, "0.8111"),
        ("ssim-y", 1.0, "1.0000"),
        ("LPIPS", 0.12345, "0.1235"),
        ("NIQE", 0.2, "0.20"),
        ("PSNR-Y", math.inf, "∞"),
        ("PSNR-Y", -math.inf, "-∞"),
        ("NIQE", math.nan, "nan"),
    ],
)
def test_numbers_have_the_digits_they_have_in_papers(metric, value, text):
    assert find_metric(metric).text(value) == text


def test_the_arrow_shows_where_better_is():
    known = {**METRICS, "MA": MA, "PI": PI}
    names = ("PSNR-Y", "SSIM-RGB", "MA", "RMSE-Y", "NIQE", "LPIPS", "LPIPS-VGG", "DISTS", "PI")
    assert "".join(known[name].directed[-1] for name in names) == "↑↑↑↓↓↓↓↓↓"
    assert known["BRIGHTNESS"].directed == "BRIGHTNESS → 0"
    assert known["CONTRAST"].directed == "CONTRAST → 1"


def test_a_metric_is_better_where_its_direction_says_so_and_never_as_nan():
    psnr, niqe = METRICS["PSNR-Y"], METRICS["NIQE"]
    assert psnr.is_better(30, 29)
    assert niqe.is_better(3, 4)
    assert not any(metric.is_better(4, 4) for metric in (psnr, niqe))
    assert not any(metric.is_better(math.nan, 4) for metric in (psnr, niqe))


def test_a_metric_may_be_best_between_its_values():
    brightness, contrast = METRICS["BRIGHTNESS"], METRICS["CONTRAST"]
    assert brightness.is_better(-1, 2)
    assert brightness.is_better(1, -2)
    assert not brightness.is_better(-1, 1)
    assert contrast.is_better(0.9, 1.2)
    assert not contrast.is_better(0, 1.5)
    assert not any(metric.is_better(math.nan, 9) for metric in (brightness, contrast))


def test_a_name_is_found_in_any_case_of_letters_and_a_wrong_one_is_refused():
    assert find_metric("psnr-y") is METRICS["PSNR-Y"]
    assert find_metric("esrgan.evaluation.ma_scores.PI") is PI
    with pytest.raises(ValueError, match=r"PSNRY is not a metric: did you mean PSNR-Y\?"):
        find_metric("PSNRY")
    for path in ("no_such_module.X", "esrgan.evaluation.NOTHING"):
        with pytest.raises(ValueError, match=rf"{path} cannot be imported.*PYTHONPATH"):
            find_metric(path)
    with pytest.raises(ValueError, match=r"psnr_y is not a metric.*evaluation\.Metric"):
        find_metric("esrgan.evaluation.psnr_y")


def test_functions_measure_as_they_are_asked_for_and_none_is_loaded_twice():
    rng = np.random.default_rng(0)
    sr, gt = rng.integers(0, 256, (2, 20, 24, 3), dtype=np.uint8)
    opened = open_metrics([*STANDARD, "psnr-y"], crop=3)
    assert [metric.name for metric in opened] == list(STANDARD)
    assert opened[METRICS["PSNR-Y"]](sr, gt) == psnr_y(sr, gt, crop=3)


def test_importing_the_metrics_does_not_wait_for_torch():
    code = "import sys, esrgan.evaluation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("metrics", "subjects"),
    [
        (["PSNR-RGB"], ["PSNR"]),
        (["SSIM-Y", "SSIM-RGB"], ["Y", "SSIM"]),
        (["RMSE-Y", "PI"], ["Y", "RMSE", "NIQE", "MA", "PI"]),
        (["LPIPS-VGG", "NIQE"], ["Y", "NIQE", "LPIPS-VGG"]),
        (["LPIPS", "DISTS"], ["LPIPS", "DISTS"]),
    ],
)
def test_only_what_was_measured_is_explained(metrics, subjects):
    known = {**METRICS, "MA": MA, "PI": PI}
    chosen = with_parts([known[name] for name in metrics])
    protocol = describe_protocol(chosen, scale=4, crop=4, lq="")
    always = {"scale", "low-resolution images", "ground truth", "results", "border", "mean"}
    assert [subject for subject in protocol if subject not in always] == subjects
