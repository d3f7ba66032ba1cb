import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from esrgan.command_line import report_errors
from esrgan.data.images import read_image, write_png
from esrgan.degradations import resize_uint8
from esrgan.networks import RRDBNet

SCRIPT = Path(__file__).parents[1] / "scripts/evaluate.py"


@pytest.fixture(scope="module")
def main():
    spec = importlib.util.spec_from_file_location("evaluate_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return lambda: report_errors(module.main)


@pytest.fixture
def run(main, monkeypatch, capsys):
    def run_script(*arguments):
        monkeypatch.setattr(sys, "argv", ["evaluate.py", *map(str, arguments)])
        code = main()
        return code, *capsys.readouterr()

    return run_script


@pytest.fixture
def benchmark(tmp_path):
    """Two images of noise, and their quarter by MATLAB's bicubic in the uint8 convention."""
    folder = tmp_path / "Set2"
    rng = np.random.default_rng(0)
    for name in ("HR", "LRbicx4"):
        (folder / name).mkdir(parents=True)
    for name, size in {"one": (64, 80), "two": (50, 43)}.items():
        gt = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        write_png(folder / f"HR/{name}.png", gt)
        kept = gt[: size[0] // 4 * 4, : size[1] // 4 * 4]
        write_png(folder / f"LRbicx4/{name}x4.png", resize_uint8(kept, 1 / 4))
    return folder


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    network = RRDBNet(scale=4, num_features=4, num_blocks=1, growth_channels=4)
    torch.save({"params_ema": network.state_dict()}, tmp_path / "tiny.pth")
    return tmp_path / "tiny.pth"


def test_the_reports_the_images_and_the_sheet_are_written(run, benchmark, weights, tmp_path):
    output, images, sheet = tmp_path / "out", tmp_path / "images", tmp_path / "sheet.png"
    files = ("--output", output, "--save-images", images, "--sheet", sheet)
    code, printed, _ = run("bicubic", weights, "--benchmark", benchmark, *files)
    assert code == 0
    assert (output / "scores.md").read_text() == printed.removesuffix("\n")
    (result,) = json.loads((output / "scores.json").read_text())["benchmarks"]
    assert result["name"] == "Set2"
    assert list(result["means"]) == ["bicubic", "tiny"]
    assert len(result["images"]) == 4
    assert read_image(images / "Set2/tiny/two.png").shape == (48, 40, 3)
    assert read_image(sheet).shape[1] > 4 * 64
    # The images written are results that can be scored in their turn, to the same values.
    again = tmp_path / "again"
    run(images / "Set2/tiny", "--benchmark", benchmark, "--output", again)
    (rescored,) = json.loads((again / "scores.json").read_text())["benchmarks"]
    assert rescored["means"]["tiny"] == result["means"]["tiny"]


def test_the_convention_of_the_files_is_recognised_and_named(run, benchmark):
    _, given, _ = run("bicubic", "--benchmark", benchmark)
    assert "MATLAB's bicubic, uint8 convention" in given
    assert "method bicubic: MATLAB's, uint8 convention" in given
    _, made, _ = run("bicubic", "--benchmark", benchmark / "HR", "--convention", "uint8")
    assert "made here by MATLAB's bicubic, uint8 convention" in made
    assert made.splitlines()[:10] == given.splitlines()[:10]
    _, other, _ = run("bicubic", "--benchmark", benchmark / "HR")
    assert "double convention" in other
    assert other.splitlines()[:10] != given.splitlines()[:10]


def test_earlier_results_are_overwritten_only_on_request(run, benchmark, tmp_path):
    arguments = ("bicubic", "--benchmark", benchmark, "--output", tmp_path / "out")
    assert run(*arguments)[0] == 0
    code, _, errors = run(*arguments)
    assert code == 2
    assert "scores.json exists" in errors
    assert run(*arguments, "--overwrite")[0] == 0


def test_mistakes_end_in_one_line_that_names_them(run, benchmark, weights):
    cases = {
        "nowhere must be": ("nowhere", "--benchmark", benchmark),
        "scales differ (tiny 4, --scale 2)": (weights, "--scale", 2, "--benchmark", benchmark),
        "--device xpu9q cannot": (weights, "--device", "xpu9q", "--benchmark", benchmark),
        "two benchmarks have one name (Set2, Set2)": (
            "bicubic",
            "--benchmark",
            benchmark,
            benchmark,
        ),
        "crop (40) must": ("bicubic", "--crop", 40, "--benchmark", benchmark),
    }
    for words, arguments in cases.items():
        code, printed, errors = run(*arguments)
        assert (code, printed) == (2, "")
        last = errors.splitlines()[-1]
        assert last.startswith("error: ")
        assert words in last


def test_the_command_explains_itself():
    done = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "METHOD is one of" in done.stdout
