"""What a stranger does who adds a metric: one file, named by its import path."""

import json
from dataclasses import replace

import numpy as np
import pytest

from esrgan.commands.evaluate import main
from esrgan.data import write_png
from esrgan.evaluation import METRICS, find_metric, open_metrics
from esrgan.evaluation.metrics import plain

FILE = """
from esrgan.evaluation import Metric

def load(resources):
    def sharpness(sr, _gt):
        inner = slice(resources.crop, -resources.crop or None)
        grey = sr[inner, inner].mean(axis=2)
        return float(abs(grey[:, 1:] - grey[:, :-1]).mean())

    return sharpness

SHARPNESS = Metric(
    name="SHARPNESS",
    larger_is_better=True,
    digits=1,
    about="mean difference of neighbours",
    load=load,
    needs_reference=False,
)
"""


@pytest.fixture(autouse=True)
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/sharp_metrics.py").write_text(FILE)
    monkeypatch.syspath_prepend(tmp_path / "own")


@pytest.fixture
def benchmark(tmp_path):
    """Stripes of 0 and 40 in the ground truth, and a method that has half of their contrast."""
    gt = np.zeros((64, 64, 3), np.uint8)
    gt[:, 1::2] = 40
    for folder, image in {"Set1/HR": gt, "half": gt // 2}.items():
        (tmp_path / folder).mkdir(parents=True)
        write_png(tmp_path / folder / "stripes.png", image)
    return tmp_path / "Set1"


def test_a_function_that_cannot_be_called_is_refused_before_it_is():
    with pytest.raises(ValueError, match=r"takes \(sr, gt, \*, crop\): got an unexpected .*crop"):
        plain(lambda sr, gt: 0.0)


def test_it_is_found_by_its_import_path_and_measures_inside_the_border():
    (metric,) = opened = open_metrics(["sharp_metrics.SHARPNESS"], crop=1)
    assert metric is find_metric("sharp_metrics.SHARPNESS")
    image = np.zeros((4, 4, 3), np.uint8)
    image[1:3, 1] = 30
    assert opened[metric](image, image) == 30


def test_it_has_its_place_in_tables_files_and_pictures(call, benchmark, tmp_path):
    files = ("--output", tmp_path / "out", "--page", tmp_path / "p.html", "--sheet")
    words = ("bicubic", tmp_path / "half", "--benchmark", benchmark, *files, tmp_path / "s.png")
    asked = ("--metrics", "PSNR-Y", "sharp_metrics.SHARPNESS")
    code, printed, errors = call("evaluate.py", main, *words, *asked)
    assert code == 0, errors
    rows = {line.split("|")[1].strip(): line for line in printed.splitlines() if line[:1] == "|"}
    assert "SHARPNESS ↑" in rows["method"]
    assert "**20.0000**" in rows["half"]  # sharper than bicubic
    assert "40.0000" in rows["GT"]
    assert "- SHARPNESS: mean difference of neighbours" in printed
    (result,) = json.loads((tmp_path / "out/scores.json").read_text())["benchmarks"]
    assert result["means"]["half"]["SHARPNESS"] == 20
    assert "SHARPNESS 20.0" in (tmp_path / "p.html").read_text()


def test_with_its_line_among_the_metrics_it_has_a_short_name(monkeypatch):
    metric = find_metric("sharp_metrics.SHARPNESS")
    monkeypatch.setitem(METRICS, metric.name, metric)
    assert find_metric("sharpness") is metric
    assert list(open_metrics(["SHARPNESS", "sharp_metrics.SHARPNESS"], crop=0)) == [metric]


def test_two_metrics_of_one_name_are_refused():
    found = find_metric("sharp_metrics.SHARPNESS")
    with pytest.raises(ValueError, match="two metrics have one name"):
        open_metrics([found, replace(found, digits=3)], crop=0)
