"""What validations say of a run, from figures that are made up."""

import math
import re

import pytest

from esrgan.evaluation import METRICS
from esrgan.training.course import Course

WELL = {
    "PSNR-Y": 26.0,
    "PSNR-RGB": 24.5,
    "LPIPS": 0.25,
    "NIQE": 4.0,
    "COLOR-DRIFT": 1.5,
    "BRIGHTNESS": 0.3,
    "CONTRAST": 0.95,
}


def course(*validations: dict[str, float], first: int = 0) -> tuple[Course, list[dict[str, str]]]:
    """A course of validations every 100 iterations, and what each of them says."""
    ours = Course()
    said = [
        ours.take_in(first + 100 * number, {METRICS[name]: value for name, value in each.items()})
        for number, each in enumerate(validations)
    ]
    return ours, said


def test_a_steady_run_says_nothing() -> None:
    better = {"PSNR-Y": 26.5, "LPIPS": 0.2, "NIQE": 3.5, "BRIGHTNESS": -0.1}
    # what RealESRGAN's own GAN stage costs on Set5, and a jump of NIQE
    detailed = {"PSNR-Y": 24.2, "PSNR-RGB": 22.7, "LPIPS": 0.2, "NIQE": 4.5}
    assert course(WELL, WELL | better, WELL | detailed, WELL)[1] == [{}] * 4


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"PSNR-Y": 21.9}, "collapse", r"PSNR-Y is 21.9, and was 26 at the start: .* collapsing"),
        ({"PSNR-RGB": 20.0}, "collapse", r"PSNR-RGB is 20, and was 24.5 at the start"),
        ({"CONTRAST": 0.4}, "flat images", r"CONTRAST is 0.4, and was 0.95 .* flat or grey"),
        ({"LPIPS": 0.28}, "further from the truth", r"LPIPS is 0.28, and was 0.25 at the start"),
        ({"NIQE": 4.9}, "less natural", r"NIQE is 4.9, and was 4 at the start: .* artefacts"),
        ({"COLOR-DRIFT": 3.6}, "colours", r"COLOR-DRIFT is 3.6, and was 1.5 at the start"),
        ({"BRIGHTNESS": 2.4}, "brightness", r"BRIGHTNESS is 2.4, and was 0.3 .* too bright"),
        ({"BRIGHTNESS": -1.8}, "brightness", r"BRIGHTNESS is -1.8, and was 0.3 at the start"),
        ({"NIQE": math.nan}, "no NIQE", r"NIQE cannot be measured: too little is left"),
    ],
)
def test_what_has_become_worse_is_said(changes, name, words) -> None:
    ((found, text),) = course(WELL, WELL | changes)[1][1].items()
    assert found == name
    assert re.match(words, text)


def test_a_grey_image_is_said_to_be_one_and_not_all_that_follows_from_it() -> None:
    # bird of Set5, against one grey value
    grey = {"PSNR-Y": 15.3, "CONTRAST": 0.02, "COLOR-DRIFT": 39.87, "NIQE": math.nan}
    said = course(WELL, WELL | grey)[1][1]
    assert said.keys() == {"collapse", "flat images", "no NIQE"}


def test_brightness_that_comes_back_is_no_drift() -> None:
    assert course(WELL | {"BRIGHTNESS": 3.0}, WELL | {"BRIGHTNESS": 0.1})[1] == [{}, {}]


def test_quality_is_compared_with_the_start_even_where_it_was_better_meanwhile() -> None:
    """But a collapse is one from wherever the run had got to."""
    meanwhile = WELL | {"PSNR-Y": 29.0, "LPIPS": 0.15}
    said = course(WELL, meanwhile, WELL | {"LPIPS": 0.2}, WELL | {"PSNR-Y": 24.9})[1]
    assert said[:3] == [{}, {}, {}]
    assert said[3]["collapse"].startswith("PSNR-Y is 24.9, and was 29 at iteration 100: ")


def test_without_a_start_the_best_is_what_is_compared_with() -> None:
    meanwhile = WELL | {"LPIPS": 0.2, "COLOR-DRIFT": 0.5}
    said = course(WELL, meanwhile, WELL | {"COLOR-DRIFT": 2.6}, first=100)[1]
    assert said[:2] == [{}, {}]
    assert said[2]["further from the truth"].startswith(
        "LPIPS is 0.25, and was 0.2 at iteration 200"
    )
    assert said[2]["colours"].startswith("COLOR-DRIFT is 2.6, and was 0.5 at iteration 200")


def test_metrics_that_nobody_measures_are_not_missed() -> None:
    assert course({"SSIM-Y": 0.8}, {"SSIM-Y": 0.1})[1] == [{}, {}]


def test_a_course_that_was_saved_goes_on_as_it_was() -> None:
    whole, said = course(WELL, WELL | {"LPIPS": 0.2}, WELL | {"LPIPS": 0.3, "NIQE": math.nan})
    first, _ = course(WELL, WELL | {"LPIPS": 0.2})
    continued = Course()
    continued.load_state_dict(first.state_dict())
    last = WELL | {"LPIPS": 0.3, "NIQE": math.nan}
    assert continued.take_in(200, {METRICS[k]: v for k, v in last.items()}) == said[2]
    assert continued.state_dict() == whole.state_dict()
    assert whole.best["LPIPS"] == (100, 0.2)
    assert whole.best["NIQE"] == (0, 4.0)
