import csv
import io
from dataclasses import replace

import pytest

from esrgan.evaluation.metrics import METRICS
from esrgan.reports.run_table import as_csv, as_markdown, best_value, choose_metrics, duration

BICUBIC = {"bicubic_PSNR-Y": 28.4312, "bicubic_LPIPS": 0.34}

TABLE = r"""
| run     | patch_size |    PSNR-Y |      LPIPS |   iterations | training time | iterations/s |
| ------- | ---------- | --------: | ---------: | -----------: | ------------: | -----------: |
| bicubic | -          |     28.43 |     0.3400 |            - |             - |            - |
| a       | 96         | **31.79** |     0.2000 |          250 |    1 h 23 min |         0.05 |
| b\|c    | 128        |     31.78 | **0.1000** | 250 of 3,000 |             - |            - |
"""


def validated(iteration, psnr, lpips, **more):
    return [{"iteration": iteration, "PSNR-Y": psnr, "LPIPS": lpips} | BICUBIC | more]


@pytest.fixture
def runs(new_run):
    speed = [
        {"iteration": 100, "samples_per_second": 0.5},  # 800 samples in 1600 s
        {"iteration": 200, "samples_per_second": 0.25},  # 800 in 3200 s
        {"iteration": 250, "samples_per_second": 2.0},  # 400 in 200 s: 1 h 23 min 20 s in all
    ]
    train = [{"iteration": 250, "pixel": 0.1}]
    return [
        new_run(
            "a", patch_size=96, train=train, speed=speed, validation=validated(250, 31.786, 0.2)
        ),
        new_run("b|c", patch_size=128, iterations=3000, validation=validated(250, 31.784, 0.1)),
    ]


def test_the_table_has_settings_metrics_and_costs(runs):
    lines = as_markdown(runs, ["PSNR-Y", "LPIPS"]).splitlines()
    assert "\n".join(lines[:5]) == TABLE.strip()
    assert "on data/Set5." in lines[6]


def test_the_csv_has_every_digit_and_full_keys(runs):
    table = list(csv.DictReader(io.StringIO(as_csv(runs, ["PSNR-Y", "LPIPS"]))))
    assert [row["run"] for row in table] == ["bicubic", "a", "b|c"]
    assert table[0]["PSNR-Y"] == "28.4312"
    assert table[1] == {
        "run": "a",
        "patch_size": "96",
        "PSNR-Y": "31.786",
        "LPIPS": "0.2",
        "iterations": "250",
        "iterations_planned": "250",
        "training_seconds": "5000.0",
        "iterations_per_second": "0.05",
    }
    assert (table[2]["iterations_planned"], table[2]["training_seconds"]) == ("3000", "")


def test_runs_validated_on_different_images_are_not_ranked(runs, new_run):
    other = validated(250, 25.0, 0.5, **{"bicubic_PSNR-Y": 24.0})
    runs.append(new_run("d", validation_set="data/Urban", validation=other))
    text = as_markdown(runs, ["PSNR-Y"])
    assert "**" not in text
    assert "| bicubic" not in text
    assert "different images (data/Set5, data/Urban)" in text


def test_a_run_without_validation_and_a_single_run_are_not_ranked(new_run):
    lines = as_markdown([new_run("a"), new_run("b", validation=validated(9, 30, 0.1))], ["PSNR-Y"])
    assert "**" not in lines
    assert "| a       |      - |" in lines


def test_infinite_and_missing_values_are_never_the_best():
    assert best_value(METRICS["PSNR-Y"], [float("nan"), float("inf"), 30.0, 31.0]) == 31.0
    assert best_value(METRICS["LPIPS"], [0.2, 0.1]) == 0.1
    assert best_value(METRICS["PSNR-Y"], [30.0]) is None
    assert best_value(METRICS["BRIGHTNESS"], [2.0, -1.0, -9.0]) == -1.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(42.4, "42 s"), (59.7, "1 min"), (3569, "59 min"), (3599, "1 h 0 min"), (4980, "1 h 23 min")],
)
def test_a_duration_is_rounded_to_what_matters(seconds, text):
    assert duration(seconds) == text


def test_metrics_are_written_as_papers_write_them(new_run):
    metrics = {"PSNR-RGB": 31.786, "SSIM-Y": 0.90126}
    text = as_markdown([new_run("a", validation=[{"iteration": 9} | metrics])], list(metrics))
    assert "|    31.79 | 0.9013 |" in text


def test_a_column_that_is_no_metric_known_here_has_four_digits_and_no_best(new_run):
    runs = [new_run(f"{n}", validation=[{"iteration": 9, "mine": n / 8}]) for n in (1, 2)]
    text = as_markdown(runs, ["mine"])
    assert "| 0.1250 |" in text and "| 0.2500 |" in text
    assert "**" not in text


def test_a_metric_that_no_run_has_is_refused_with_what_may_be_meant(runs):
    assert choose_metrics(runs, None) == ["PSNR-Y", "LPIPS"]
    assert choose_metrics(runs, ["lpips"]) == choose_metrics(runs, ["LPIPS"]) == ["LPIPS"]
    with pytest.raises(ValueError, match="psnr is not a metric of these runs: did you mean PSNR-Y"):
        choose_metrics(runs, ["psnr"])
    with pytest.raises(ValueError, match="none of them was validated yet"):
        choose_metrics([], ["PSNR-Y"])


def test_what_was_changed_on_the_way_is_said_below_the_table(new_run):
    changes = {"training.optimizer.lr": [2e-4, 1e-4], "training.losses.pixel": ["a.b", None]}
    run = new_run("a")
    run = replace(run, history=[{"iteration": 100, "settings": changes}])
    lines = as_markdown([run], []).splitlines()
    assert "a: from iteration 100 on, training.optimizer.lr: 0.0001 (before: 0.0002)." in lines
    assert "a: from iteration 100 on, training.losses.pixel: null (before: a.b)." in lines
