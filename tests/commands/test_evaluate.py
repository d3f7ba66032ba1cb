import json
import re
import shutil
from functools import partial

import numpy as np
import pytest
import torch

from esrgan.commands.evaluate import main
from esrgan.data.images import read_image, write_png
from esrgan.degradations import resize_uint8
from esrgan.networks import RRDBNet


@pytest.fixture
def run(call):
    return partial(call, "evaluate.py", main)


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


def means(printed, method):
    """The numbers of a method's row in the first table."""
    row = next(line for line in printed.splitlines() if line.startswith(f"| {method} "))
    return [float(cell.strip(" *")) for cell in row.split("|")[2:-1]]


def test_the_reports_the_images_and_the_sheet_are_written(run, benchmark, weights, tmp_path):
    output, images, sheet = tmp_path / "out", tmp_path / "images", tmp_path / "new/sheet.png"
    files = ("--output", output, "--save-images", images, "--sheet", sheet)
    code, printed, _ = run("bicubic", weights, "--benchmark", benchmark, *files, "--per-image")
    assert code == 0
    assert (output / "scores.md").read_text() == printed.removesuffix("\n")
    (result,) = json.loads((output / "scores.json").read_text())["benchmarks"]
    assert result["name"] == "Set2"
    assert list(result["means"]) == ["bicubic", "tiny"]
    assert len(result["images"]) == 4
    assert read_image(images / "Set2/tiny/two.png").shape == (48, 40, 3)
    assert read_image(sheet).shape[1] > 4 * 64
    assert {path.name for path in output.iterdir()} == {"scores.md", "scores.json"}
    # The images written are results that can be scored in their turn, to the same values.
    again = tmp_path / "again"
    run(images / "Set2/tiny", "--benchmark", benchmark, "--output", again)
    (rescored,) = json.loads((again / "scores.json").read_text())["benchmarks"]
    assert rescored["means"]["tiny"] == result["means"]["tiny"]


def test_the_values_of_single_images_are_in_the_files_and_printed_on_request(
    run, benchmark, tmp_path
):
    _, printed, errors = run("bicubic", "--benchmark", benchmark, "--output", tmp_path)
    assert "| two " not in printed
    assert "| two " in (tmp_path / "scores.md").read_text()
    assert "Set2 2/2: two" in errors


def test_the_convention_of_the_files_is_recognised_and_named(run, benchmark):
    _, given, _ = run("bicubic", "--benchmark", benchmark)
    assert "MATLAB's bicubic, uint8 convention" in given
    assert "method bicubic: MATLAB's, uint8 convention, of R, G and B" in given
    assert "ground truth: cut at the bottom and right to multiples of 4" in given
    _, made, _ = run("bicubic", "--benchmark", benchmark / "HR", "--convention", "uint8")
    assert "made here by MATLAB's bicubic, uint8 convention" in made
    assert means(made, "bicubic") == means(given, "bicubic")

    _, other, _ = run("bicubic", "--benchmark", benchmark / "HR")
    assert "double convention" in other
    assert means(other, "bicubic") != means(given, "bicubic")


def test_bicubic_of_luminance_has_a_row_of_what_is_measured_on_it(run, benchmark, tmp_path):
    outputs = ("--output", tmp_path / "a", "--save-images", tmp_path / "b")
    code, printed, _ = run("bicubic", "bicubic-y", "--benchmark", benchmark, *outputs)
    assert code == 0
    assert "method bicubic-y: MATLAB's, of Y in whole levels, shrunk and enlarged" in printed
    result = json.loads((tmp_path / "a/scores.json").read_text())["benchmarks"][0]["means"]
    assert set(result["bicubic-y"]) == {"PSNR-Y", "SSIM-Y"} < set(result["bicubic"])
    (one, *_) = sorted((tmp_path / "b").rglob("bicubic-y/*.png"))
    assert np.ptp(read_image(one), axis=2).max() == 0


def test_several_benchmarks_are_put_side_by_side(run, benchmark, tmp_path):
    shutil.copytree(benchmark / "HR", tmp_path / "Other/HR")
    _, printed, _ = run("bicubic", "--benchmark", benchmark, tmp_path / "Other")
    assert "| metric     | method  |    Set2 |   Other |" in printed
    assert "low-resolution images, Other: made here" in printed


@pytest.fixture
def textured(tmp_path):
    """An image of two NIQE blocks inside the border, results for it, parameters and Ma's scores."""
    rng = np.random.default_rng(1)
    for folder in ("Large", "better"):
        (tmp_path / folder).mkdir()
        image = rng.integers(0, 256, (104, 204, 3), dtype=np.uint8)
        write_png(tmp_path / folder / "house.png", image)
    parameters = {"mu_pris_param": np.ones((1, 36)), "cov_pris_param": np.eye(36)}
    np.savez(tmp_path / "niqe.npz", **parameters)
    rows = ("image,method,score", "house,bicubic,4", "house,better,9")
    (tmp_path / "ma.csv").write_text("\n".join(rows))
    return tmp_path


def test_metrics_are_reported_in_the_order_asked_for_and_the_ground_truth_where_it_can(
    run, textured
):
    files = ("--niqe-model", textured / "niqe.npz", "--ma-scores", textured / "ma.csv")
    asked = ("--metrics", "pi", "RMSE-Y", "niqe", "MA", "pi")
    folders = ("bicubic", textured / "better", "--benchmark", textured / "Large")
    code, printed, _ = run(*folders, *asked, *files, "--output", textured / "out")
    assert code == 0
    (result,) = json.loads((textured / "out/scores.json").read_text())["benchmarks"]
    bicubic, better, gt = (result["means"][name] for name in ("bicubic", "better", "GT"))
    assert list(bicubic) == ["PI", "RMSE-Y", "NIQE", "MA"]
    assert bicubic["PI"] == (10 - 4 + bicubic["NIQE"]) / 2
    assert better["PI"] == (10 - 9 + better["NIQE"]) / 2
    assert list(gt) == ["NIQE"]  # no score of Ma et al.
    assert "| PI ↓ |" in re.sub(" +", " ", printed)


def test_the_ground_truth_has_a_perceptual_index_if_it_has_a_score_of_ma(run, textured):
    files = ("--niqe-model", textured / "niqe.npz", "--ma-scores", textured / "ma.csv")
    words = ("bicubic", "--benchmark", textured / "Large", "--metrics", "PI", *files)
    assert "GT" not in run(*words)[1]
    with (textured / "ma.csv").open("a") as file:
        file.write("\nhouse,GT,8.5")
    _, printed, _ = run(*words)
    assert means(printed, "GT") < means(printed, "bicubic")


def test_the_region_of_the_pirm_challenge_is_named_where_both_measures_are_there(run, textured):
    shutil.copy(textured / "Large/house.png", textured / "better/house.png")
    files = ("--niqe-model", textured / "niqe.npz", "--ma-scores", textured / "ma.csv")
    words = ("bicubic", textured / "better", "--benchmark", textured / "Large", *files)
    _, printed, _ = run(*words, "--metrics", "PI", "RMSE-Y")
    assert "PIRM region of bicubic: none" in printed
    assert "PIRM region of better: R1 (RMSE-Y at most 11.5)" in printed
    assert "PIRM" not in run(*words, "--metrics", "PI")[1].replace("(PIRM 2018)", "")


def test_networks_of_metrics_are_asked_for_only_where_they_are_needed(run, benchmark, monkeypatch):
    asked = []

    def fake(name):
        def make(*, weights, crop, device, network="vgg16"):
            asked.append((name, network, weights, crop, device.type))
            return lambda sr, gt: 0.25

        return make

    monkeypatch.setattr("esrgan.evaluation.learned.lpips", fake("lpips"))
    monkeypatch.setattr("esrgan.evaluation.learned.dists", fake("dists"))
    words = ("bicubic", "--benchmark", benchmark, "--device", "cpu", "--crop", 3)
    run(*words)
    assert asked == []
    _, printed, _ = run(*words, "--metrics", "DISTS", "LPIPS", "LPIPS-VGG")
    expected = [("dists", "vgg16"), ("lpips", "alexnet"), ("lpips", "vgg16")]
    assert asked == [(*name, "imagenet", 3, "cpu") for name in expected]
    assert means(printed, "bicubic") == [0.25, 0.25, 0.25]
    asked.clear()
    files = ("--alexnet", "a.pth", "--vgg16", "v.pth")
    _, printed, _ = run(*words, "--metrics", "LPIPS", "DISTS", *files)
    assert "weights of vgg16: v.pth" in printed
    expected = [("lpips", "alexnet", "a.pth"), ("dists", "vgg16", "v.pth")]
    assert asked == [(*name, 3, "cpu") for name in expected]


def test_a_gpu_that_is_too_small_is_named_with_the_method_and_the_image(
    run, benchmark, weights, monkeypatch
):
    def fail(network, lq):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("esrgan.inference.upscale", fail)
    code, _, errors = run(weights, "--benchmark", benchmark)
    assert code == 2
    assert "error: tiny on one: it needs more memory than the GPU has" in errors


def test_the_sheet_shows_the_crops_asked_for(run, benchmark, tmp_path):
    sheet = tmp_path / "sheet.png"
    words = ("bicubic", "--benchmark", benchmark, "--sheet", sheet, "--overwrite")
    run(*words)
    both = read_image(sheet).shape
    run(*words, "--crop-size", 32, "--sheet-images", "two")
    one = read_image(sheet).shape
    assert one[1] < both[1]
    run(*words, "--crop-at", "one:8,16,32", "two:4,4,32")
    assert read_image(sheet).shape[0] > 1.5 * one[0]
    shown = read_image(sheet)
    gt = read_image(benchmark / "HR/one.png")[8:40, 16:48].repeat(3, axis=0).repeat(3, axis=1)
    top, left = (np.argwhere((shown == gt[0, 0]).all(axis=2))).T
    assert any(
        np.array_equal(shown[y : y + 96, x : x + 96], gt) for y, x in zip(top, left, strict=True)
    )


def test_a_crop_may_reach_the_edges_and_be_larger_than_the_image(run, benchmark, tmp_path):
    words = ("bicubic", "--benchmark", benchmark, "--sheet", tmp_path / "s.png", "--overwrite")
    for asked in (("--crop-at", "one:32,48,32", "one:0,0,1"), ("--sheet-images", "two", "one")):
        code, _, errors = run(*words, *asked, "--metrics", "PSNR-RGB")
        assert code == 0, errors


def test_the_page_has_as_many_images_as_were_asked_for(run, benchmark, tmp_path):
    page = tmp_path / "new/page.html"
    words = ("bicubic", "--benchmark", benchmark, "--page", page, "--overwrite")
    run(*words)
    assert page.read_text().count("<article") == 2
    assert "<title>bicubic on Set2" in page.read_text()
    run(*words, "--page-images", 1)
    assert page.read_text().count("<article") == 1


def test_a_page_too_large_for_a_browser_is_warned_of(run, benchmark, tmp_path, monkeypatch):
    words = ("bicubic", "--benchmark", benchmark, "--page", tmp_path / "page.html", "--overwrite")
    assert "warning" not in run(*words)[2]
    # 64 x 80 and 48 x 40 pixels, of bicubic and the ground truth, 1.5 bytes each
    monkeypatch.setattr("esrgan.reports.page.LARGE_PAGE", 0.0211)
    assert "the page will have about 0 MB" in run(*words)[2]
    assert "warning" not in run(*words, "--page-images", 1)[2]
    monkeypatch.setattr("esrgan.reports.page.LARGE_PAGE", 0.0212)
    assert "warning" not in run(*words)[2]


def test_earlier_results_are_overwritten_only_on_request(run, benchmark, tmp_path):
    files = {"--output": "out", "--save-images": "images", "--sheet": "s.png", "--page": "p.html"}
    for option, name in files.items():
        words = ("bicubic", "--benchmark", benchmark, option, tmp_path / name)
        assert run(*words)[0] == 0
        code, printed, errors = run(*words)
        assert (code, printed) == (2, "")
        assert f"{name}" in errors
        assert "exists and is not overwritten: choose another name, or give --overwrite" in errors
        assert run(*words, "--overwrite")[0] == 0


def test_mistakes_end_in_one_line_that_names_them(run, benchmark, weights, tmp_path):
    (tmp_path / "file").touch()
    sheet, page = ("--sheet", tmp_path / "s.png"), ("--page", tmp_path / "p.html")
    cases = {
        "nowhere must be": ("nowhere",),
        "tiny.pth is of scale 4, not 2: give that, or none": (weights, "--scale", 2),
        "--device xpu9q cannot": ("bicubic", "--device", "xpu9q"),
        "two benchmarks have one name (Set2, Set2)": ("bicubic", "--benchmark", *[benchmark] * 2),
        "crop (40) must": ("bicubic", "--crop", 40),
        "PSNRY is not a metric: did you mean PSNR-Y?": ("bicubic", "--metrics", "PSNRY"),
        "--metrics MA PI needs --ma-scores": ("bicubic", "--metrics", "PI", "MA"),
        "--ma-scores has no effect": ("bicubic", "--ma-scores", tmp_path / "file"),
        "--niqe-model has no effect": ("bicubic", "--niqe-model", tmp_path / "file"),
        "--alexnet has no effect without LPIPS among": ("bicubic", "--alexnet", tmp_path / "file"),
        "--vgg16 has no effect without LPIPS-VGG or DISTS": (
            *("bicubic", "--metrics", "LPIPS", "--vgg16", tmp_path / "file"),
        ),
        "weights (no.pth) is neither a file nor imagenet": (
            *("bicubic", "--metrics", "LPIPS", "--alexnet", "no.pth"),
        ),
        "nowhere.npz: `esrgan download niqe`": (
            "bicubic",
            "--metrics",
            "NIQE",
            "--niqe-model",
            "nowhere.npz",
        ),
        "needs image, method, score": (
            *("bicubic", "--metrics", "MA", "--ma-scores"),
            write(tmp_path / "ma.json", "[{}]"),
        ),
        "no score of bicubic on one (Set2)": (
            *("bicubic", "--metrics", "MA", "--ma-scores"),
            write(tmp_path / "empty.csv", "image,method,score\n"),
        ),
        "--crop-at has no effect without --sheet": ("bicubic", "--crop-at", "one:0,0"),
        "--page-images has no effect without --page": ("bicubic", "--page-images", 1),
        "--page-images (0) must be at least 1": ("bicubic", *page, "--page-images", 0),
        "--crop-size (0) must be at least 1": ("bicubic", *sheet, "--crop-size", 0),
        "s.jpg must end in .png": ("bicubic", "--sheet", "s.jpg"),
        "p.png must end in .html": ("bicubic", "--page", "p.png"),
        "onr is no image there: did you mean one?": ("bicubic", *sheet, "--sheet-images", "onr"),
        "one:3 must be IMAGE:TOP,LEFT": ("bicubic", *sheet, "--crop-at", "one:3"),
        "one:1,2,3,4 must be IMAGE:TOP,LEFT": ("bicubic", *sheet, "--crop-at", "one:1,2,3,4"),
        "32 pixels from top 33, left 0 must lie inside one (height 64, width 80)": (
            *("bicubic", *sheet, "--crop-at", "one:33,0,32"),
        ),
        "32 pixels from top 0, left -1 must": ("bicubic", *sheet, "--crop-at", "one:0,-1,32"),
        "0 pixels from top": ("bicubic", *sheet, "--crop-at", "one:0,0,0"),
        "file is not a folder": ("bicubic", "--output", tmp_path / "file/out"),
    }
    for words, arguments in cases.items():
        given = arguments if "--benchmark" in arguments else (*arguments, "--benchmark", benchmark)
        code, printed, errors = run(*given)
        last = errors.splitlines()[-1]
        assert words in last
        assert last.startswith("error: ")
        assert (code, printed) == (2, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["Set2", "empty.csv", "file", "ma.json", "tiny.pth"]
    )


def write(path, text):
    path.write_text(text)
    return path


def test_the_command_explains_itself(run, capsys):
    with pytest.raises(SystemExit, match="0"):
        run("--help")
    explained = capsys.readouterr().out
    assert "METHOD is one of" in explained
    assert "LPIPS-VGG" in explained
