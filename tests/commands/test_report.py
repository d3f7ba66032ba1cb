import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from esrgan.commands.report import main
from esrgan.data.images import read_image, write_png
from esrgan.networks import RRDBNet
from esrgan.weights import save_release

SCRIPT = Path(__file__).parents[2] / "scripts/report.py"
SIDE = 32  # of the benchmark's images: a crop of this size is the whole image
FILES = ["curves.png", "figure.png", "report.csv", "report.md"]


@pytest.fixture
def run(call):
    return partial(call, "report.py", main)


@pytest.fixture
def benchmark(tmp_path):
    """Untrained networks make something near black of all: they are right about the cat."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "Set3"
    folder.mkdir()
    for name, brightness in {"cat": 0, "dog": 100, "elk": 200}.items():
        noise = rng.integers(0, 50, (SIDE, SIDE, 3))
        write_png(folder / f"{name}.png", (brightness + noise).astype(np.uint8))
    return folder


@pytest.fixture
def runs(tmp_path, benchmark):
    """Two runs, `wide` with more features and unfinished, both with weights."""
    for seed, (name, features) in enumerate({"plain": 4, "wide": 8}.items()):
        folder = tmp_path / "experiments/ablation" / name
        folder.mkdir(parents=True)
        settings = {
            "format": 2,
            "iterations": 100 + 100 * seed,
            "batch_size": 8,
            "validation_set": str(benchmark),
            "generator": {"_target_": "esrgan.networks.RRDBNet", "num_features": features},
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        (folder / "train.csv").write_text("iteration,pixel\n50,0.2\n100,0.1\n150,0.0")
        (folder / "speed.csv").write_text("iteration,samples_per_second\n50,40\n100,20\n")
        (folder / "val.csv").write_text(f"iteration,PSNR-Y,bicubic_PSNR-Y\n100,{30 + seed},28.5\n")
        torch.manual_seed(seed)
        network = RRDBNet(scale=4, num_features=features, num_blocks=1, growth_channels=4)
        save_release(folder / f"{name}.pth", network, metadata={})
    return tmp_path / "experiments"


def rows_where(sheet, left, image):
    """The rows at which an image stands in a picture, its left side at `left`."""
    height, width, _ = image.shape
    column = sheet[:, left : left + width]
    tops = range(len(sheet) - height + 1)
    return [top for top in tops if np.array_equal(column[top : top + height], image)]


def test_the_table_is_printed_and_nothing_is_written(run, runs, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    code, printed, errors = run(runs)
    assert (code, errors) == (0, "")
    assert printed.splitlines()[:5] == [  # 8 * 50 / 40 + 8 * 50 / 20 = 30 seconds
        "| run     | num_features |    PSNR-Y | iterations | training time | iterations/s |",
        "| ------- | ------------ | --------: | ---------: | ------------: | -----------: |",
        "| bicubic | -            |     28.50 |          - |             - |            - |",
        "| plain   | 4            |     30.00 |        100 |          30 s |         3.33 |",
        "| wide    | 8            | **31.00** | 100 of 200 |          30 s |         3.33 |",
    ]
    assert sorted(tmp_path.rglob("*")) == before


def test_the_report_has_the_table_and_the_pictures(run, runs, tmp_path):
    out = tmp_path / "new/out"
    code, printed, _ = run(runs, "--output", out, "--crop-size", SIDE)
    assert code == 0
    assert sorted(path.name for path in out.iterdir()) == FILES
    text = (out / "report.md").read_text()
    assert printed.strip() in text
    assert "](figure.png)" in text and "](curves.png)" in text
    assert "- wide: weights of wide.pth" in text
    assert "made here by MATLAB's bicubic" in text
    assert (out / "report.csv").read_text().startswith("run,generator.num_features,PSNR-Y,")


def test_the_figure_has_a_column_for_gt_and_each_run_and_shows_gt_as_it_is(run, runs, tmp_path):
    benchmark, out = tmp_path / "Set3", tmp_path / "out"
    _, _, errors = run(runs, "--output", out, "--crop-size", SIDE, "--crops", 2)
    assert errors.splitlines() == ["cat (Set3)", "dog (Set3)", "elk (Set3)"]
    sheet = read_image(out / "figure.png")
    # margins of 16, columns of 288 with 8 between them; 40 for the names, 28 for each of the two
    # settings, 8 below them; rows with captions of 36
    assert sheet.shape == (16 + 40 + 2 * 28 + 8 + 2 * (288 + 36), 2 * 16 + 3 * 288 + 2 * 8, 3)
    places = {}
    for name in ("cat", "dog", "elk"):
        image = read_image(benchmark / f"{name}.png")
        enlarged = image.repeat(288 // SIDE, axis=0).repeat(288 // SIDE, axis=1)
        places[name] = rows_where(sheet, 16, enlarged)
    # the two in which the crops differ most, in the order of the benchmark
    assert places == {"cat": [], "dog": [120], "elk": [120 + 288 + 36]}


def test_images_are_shown_in_the_order_asked_for(run, runs, tmp_path):
    out = tmp_path / "out"
    arguments = ("--output", out, "--crop-size", SIDE, "--images", "elk", "cat")
    assert run(runs, *arguments)[0] == 0
    sheet = read_image(out / "figure.png")
    for number, name in enumerate(["elk", "cat"]):
        image = read_image(tmp_path / f"Set3/{name}.png")
        enlarged = image.repeat(288 // SIDE, axis=0).repeat(288 // SIDE, axis=1)
        assert rows_where(sheet, 16, enlarged) == [120 + number * (288 + 36)]


def test_runs_without_weights_are_left_out_of_the_figure_and_said_to_be(run, runs, tmp_path):
    (runs / "ablation/plain/plain.pth").unlink()
    run(runs, "--output", tmp_path / "one")
    assert "no weights yet: plain" in (tmp_path / "one/report.md").read_text()
    assert read_image(tmp_path / "one/figure.png").shape[1] == 2 * 16 + 2 * 288 + 8
    (runs / "ablation/wide/wide.pth").unlink()
    run(runs, "--output", tmp_path / "none")
    assert "none of the runs has weights" in (tmp_path / "none/report.md").read_text()
    assert not (tmp_path / "none/figure.png").exists()


def test_without_the_validation_images_there_is_a_report_without_a_figure(run, runs, tmp_path):
    (tmp_path / "Set3").rename(tmp_path / "Moved")
    assert run(runs, "--output", tmp_path / "out")[0] == 0
    assert "--benchmark names others" in (tmp_path / "out/report.md").read_text()
    given = ("--benchmark", tmp_path / "Moved", "--output", tmp_path / "given")
    assert run(runs, *given)[0] == 0
    assert (tmp_path / "given/figure.png").exists()


def test_an_earlier_report_is_written_over_only_on_request(run, runs, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.csv").write_text("mine")
    code, printed, errors = run(runs, "--output", out)
    assert (code, printed) == (2, "")
    assert "report.csv exists" in errors
    assert (out / "report.csv").read_text() == "mine"
    assert [path.name for path in out.iterdir()] == ["report.csv"]
    assert run(runs, "--output", out, "--overwrite")[0] == 0
    assert (out / "report.csv").read_text() != "mine"


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("nowhere holds no run", ("nowhere",)),
        ("psnr is not a metric of these runs", ("--metrics", "psnr")),
        ("Set3/cat.png is not a folder", ("--output", "Set3/cat.png", "--overwrite")),
        ("--crops (0) must be at least 1", ("--output", "out", "--crops", "0")),
        ("dot is no image there: did you mean dog?", ("--output", "out", "--images", "dot")),
        ("nowhere must be a folder", ("--output", "out", "--benchmark", "nowhere")),
        ("--device xpu9q cannot", ("--output", "out", "--device", "xpu9q")),
    ],
)
def test_a_mistake_is_one_line_before_any_work(run, runs, tmp_path, monkeypatch, words, arguments):
    monkeypatch.chdir(tmp_path)
    code, printed, errors = run(runs, *arguments)
    assert (code, printed) == (2, "")
    assert errors.startswith("error: ") and errors.count("\n") == 1
    assert words in errors
    assert not (tmp_path / "out").exists()


def test_options_of_the_files_are_refused_without_them(run, runs):
    code, printed, errors = run(runs, "--crop-size", 32)
    assert (code, printed) == (2, "")
    assert errors == "error: --crop-size has no effect without --output\n"


def test_the_table_alone_does_not_wait_for_torch(runs):
    code = (
        "import sys; from esrgan.commands.report import main; "
        f"code = main([{str(runs)!r}]); sys.exit(code or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_the_command_explains_itself():
    done = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "RUN is the folder of a run" in done.stdout
