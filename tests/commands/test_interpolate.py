import os
import subprocess
import sys
from copy import deepcopy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

import esrgan.commands.interpolate
import esrgan.weights
from esrgan.commands.interpolate import main
from esrgan.data import read_image, write_png
from esrgan.evaluation import psnr_y
from esrgan.inference import upscale
from esrgan.networks import RRDBNet
from esrgan.reports.sheet import SheetRow, comparison_sheet, most_different_window
from esrgan.runs import write_checkpoint
from esrgan.weights import load_generator, save_release

STRIP_ALPHAS = (1, 0.8, 0.6, 0.4, 0.2, 0)


@pytest.fixture
def run(call):
    return partial(call, "interpolate.py", main)


def tiny(seed, *, num_blocks=1):
    """Its output is a picture, not nearly black."""
    torch.manual_seed(seed)
    network = RRDBNet(num_features=4, num_blocks=num_blocks, initialise=lambda _: None)
    with torch.no_grad():
        network.conv_last.weight.mul_(8)
        network.conv_last.bias.fill_(0.5)
    return network.eval()


@pytest.fixture(scope="module")
def networks():
    """Two of one lineage."""
    a = tiny(0)
    b = deepcopy(a)
    with torch.no_grad():
        for parameter in b.parameters():
            parameter.add_(0.3 * parameter.abs().mean() * torch.randn(parameter.shape))
    return a, b


@pytest.fixture
def parents(networks, tmp_path):
    paths = tmp_path / "psnr.pth", tmp_path / "gan.safetensors"
    for path, network in zip(paths, networks, strict=True):
        save_release(path, network, metadata={})
    return paths


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "lr" / "house.png"
    path.parent.mkdir()
    write_png(path, np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8))
    return path


@pytest.fixture
def benchmark(tmp_path):
    rng = np.random.default_rng(1)
    for name in ("one", "two"):
        for folder, size in {"HR": (40, 48), "LRbicx4": (10, 12)}.items():
            (tmp_path / "Set2" / folder).mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            write_png(tmp_path / "Set2" / folder / f"{name}.png", pixels)
    return tmp_path / "Set2"


def between(networks, alpha):
    """Written once more, from the paper."""
    a, b = (network.state_dict() for network in networks)
    mixed = deepcopy(networks[0])
    mixed.load_state_dict({key: (1 - alpha) * a[key] + alpha * b[key] for key in a})
    return mixed


def mixed_outputs(networks, lq, alpha):
    first, second = (upscale(network, lq).astype(float) for network in networks)
    return np.round((1 - alpha) * first + alpha * second).astype(np.uint8)


def contents(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_weights_are_written_under_the_names_of_the_original(run, parents, networks, tmp_path):
    folder = tmp_path / "new" / "models"
    code, printed, errors = run(*parents, "--alpha", 0.8, 0.25, 0, 1, "--output", folder)
    assert (code, printed, errors) == (0, "", "")
    alphas = {"interp_08": 0.8, "interp_025": 0.25, "interp_00": 0, "interp_10": 1}
    assert contents(folder) == sorted(f"{name}.pth" for name in alphas)
    for name, alpha in alphas.items():
        state = load_generator(folder / f"{name}.pth").state_dict()
        for key, expected in between(networks, alpha).state_dict().items():
            torch.testing.assert_close(state[key], expected, rtol=0, atol=0)
    metadata = torch.load(folder / "interp_08.pth", weights_only=True)["metadata"]
    a, b = (parent.name for parent in parents)
    assert metadata == {"alpha": "0.8", "parent_a": a, "parent_b": b, "scale": metadata["scale"]}


def test_a_run_stands_for_its_newest_checkpoint(run, networks, tmp_path):
    runs = tmp_path / "psnr", tmp_path / "gan"
    for folder, network in zip(runs, networks, strict=True):
        for number, one in enumerate([tiny(5), network]):
            write_checkpoint(folder / "checkpoints", number, {"ema": one.state_dict()})
    assert run(*runs, "--alpha", 0.5, "--output", tmp_path)[0] == 0
    state = load_generator(tmp_path / "interp_05.pth").state_dict()
    for key, expected in between(networks, 0.5).state_dict().items():
        torch.testing.assert_close(state[key], expected, rtol=0, atol=0)


def test_the_strip_has_two_rows_of_crops_for_each_image(run, parents, networks, image, tmp_path):
    write_png(image.with_name("tree.png"), read_image(image)[::-1])
    sheet = tmp_path / "new" / "strip.png"
    code, _, errors = run(*parents, "--images", image.parent, "--strip", sheet, "--crop-size", 16)
    assert (code, errors.splitlines()) == (0, ["house", "tree"])
    rows = []
    for name in ("house", "tree"):
        lq = read_image(image.with_name(f"{name}.png"))
        top, left = most_different_window([upscale(network, lq) for network in networks], 16)
        window = np.s_[top : top + 16, left : left + 16]
        kinds = {
            "network interpolation": lambda alpha, lq=lq: upscale(between(networks, alpha), lq),
            "image interpolation": lambda alpha, lq=lq: mixed_outputs(networks, lq, alpha),
        }
        for kind, output in kinds.items():
            crops = {f"alpha {alpha}": output(alpha)[window] for alpha in STRIP_ALPHAS}
            np.testing.assert_array_equal(crops["alpha 0"], upscale(networks[0], lq)[window])
            rows.append(SheetRow(crops, {"alpha 1": kind, "alpha 0.8": name}))
    np.testing.assert_array_equal(read_image(sheet), comparison_sheet(rows))


def test_the_animation_goes_from_a_to_b_in_eleven_frames(run, parents, networks, image, tmp_path):
    assert run(*parents, "--images", image, "--gif", tmp_path / "a.gif")[0] == 0
    frames, durations = [], []
    with Pillow.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.info["loop"], gif.size) == (11, 0, (48, 40 + 28))
        for number in range(11):
            gif.seek(number)
            durations.append(gif.info["duration"])
            frames.append(np.asarray(gif.convert("RGB"))[28:].astype(float))
    assert durations == [330] * 11
    outputs = [upscale(between(networks, n / 10), read_image(image)) for n in range(11)]
    for number, frame in enumerate(frames):
        errors = [np.abs(frame - sr).mean() for sr in outputs]
        assert np.argmin(errors) == number
        assert errors[number] < 16


def test_each_network_sees_an_image_once(run, parents, image, tmp_path, monkeypatch):
    seen = []

    def noting(a, b, alpha):
        network = deepcopy(b)
        network.register_forward_pre_hook(lambda *_: seen.append(alpha))
        return network

    monkeypatch.setattr(esrgan.weights, "interpolate", noting)
    files = ("--strip", tmp_path / "a.png", "--gif", tmp_path / "a.gif")
    assert run(*parents, "--images", image, *files)[0] == 0
    assert sorted(seen) == [n / 10 for n in range(11)]


def test_the_curve_is_the_mean_psnr_of_both(run, parents, networks, benchmark, tmp_path):
    code, printed, _ = run(
        *parents, "--curve", tmp_path / "curve.png", "--benchmark", benchmark, "--steps", 4
    )
    assert code == 0
    assert "on Set2, mean of 2 images without 4 pixels at each border" in printed
    rows = [line.strip("|").split("|") for line in printed.splitlines() if line.startswith("| 0")]
    assert [float(row[0]) for row in rows] == [0, 0.25, 0.5, 0.75]
    pairs = [
        (read_image(benchmark / f"LRbicx4/{name}.png"), read_image(benchmark / f"HR/{name}.png"))
        for name in ("one", "two")
    ]
    for alpha, network, image in np.array(rows, float):
        mixed = between(networks, alpha)
        by_network = [psnr_y(upscale(mixed, lq), gt, crop=4) for lq, gt in pairs]
        by_image = [psnr_y(mixed_outputs(networks, lq, alpha), gt, crop=4) for lq, gt in pairs]
        assert network == pytest.approx(np.mean(by_network), abs=6e-5)
        assert image == pytest.approx(np.mean(by_image), abs=6e-5)
    assert read_image(tmp_path / "curve.png").std() > 5


def test_two_trainings_are_warned_of_and_one_is_not(run, parents, tmp_path):
    save_release(tmp_path / "other.pth", tiny(9), metadata={})
    options = ("--alpha", 0.5, "--overwrite", "--output", tmp_path)
    code, _, errors = run(parents[0], tmp_path / "other.pth", *options)
    assert code == 0
    assert errors.startswith("warning: A and B have hardly a training in common")
    assert (tmp_path / "interp_05.pth").exists()
    assert run(*parents, *options) == (0, "", "")


def test_networks_of_different_shape_are_refused(run, parents, tmp_path):
    save_release(tmp_path / "deep.pth", tiny(0, num_blocks=2), metadata={})
    code, _, errors = run(parents[0], tmp_path / "deep.pth", "--alpha", 0.5, "--output", tmp_path)
    assert code == 2
    assert errors.endswith("in these two, num_blocks is 1 and 2\n")
    assert "interp_05.pth" not in contents(tmp_path)


def test_earlier_files_are_overwritten_only_on_request(run, parents, image, tmp_path):
    weights = ("--alpha", 0.5, "--output", tmp_path)
    strip = ("--images", image, "--strip", tmp_path / "a.png")
    gif = ("--images", image, "--gif", tmp_path / "a.gif")
    written = (tmp_path / "interp_05.pth", tmp_path / "a.png", tmp_path / "a.gif")
    for path in written:
        path.write_text("mine")
    for options in (weights, strip, gif):
        code, printed, errors = run(*parents, *options)
        assert (code, printed, errors.count("\n")) == (2, "", 1)
        assert "exists and is not overwritten: choose another name, or give --overwrite" in errors
    assert [path.read_text() for path in written] == ["mine"] * 3
    assert run(*parents, *weights, *strip, *gif, "--overwrite")[0] == 0
    assert all(path.stat().st_size > 100 for path in written)


def test_mistakes_end_in_one_line_before_any_work(run, parents, image, tmp_path, monkeypatch):
    monkeypatch.setattr(
        esrgan.weights, "interpolate", lambda *_: pytest.fail("it has begun to work")
    )
    write_png(image.with_name("tree.png"), read_image(image))
    (tmp_path / "empty").mkdir()
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    before = contents(tmp_path)
    strip = ("--images", image, "--strip")
    cases = {
        "there is nothing to do": (),
        "--strip needs --images": ("--strip", "a.png"),
        "--gif needs --images": ("--gif", "a.gif"),
        "--curve needs --benchmark": ("--curve", "a.png"),
        "--output has no effect without --alpha": (*strip, "a.png", "--output", tmp_path),
        "--images has no effect without --strip or --gif": ("--alpha", 1, "--images", image),
        "--crop-size has no effect without --strip": ("--alpha", 1, "--crop-size", 9),
        "--steps has no effect without --curve": ("--alpha", 1, "--steps", 9),
        "--alpha (1.5) must be from 0 (A) to 1 (B)": ("--alpha", 0.5, 1.5),
        "--alpha (nan) must be": ("--alpha", "nan"),
        "--crop-size (0) must be at least 1": (*strip, "a.png", "--crop-size", 0),
        "a.jpg must end in .png": (*strip, "a.jpg"),
        "is the folder of a run": ("--alpha", 1, "--output", tmp_path / "run"),
        "psnr.pth is not a folder": ("--alpha", 1, "--output", parents[0]),
        "one file": (*strip, "a.png", "--curve", "a.png", "--benchmark", tmp_path),
        "--gif shows one image, and --images has 2": ("--images", image.parent, "--gif", "a.gif"),
        "nowhere.png": ("--images", "nowhere.png", "--gif", "a.gif"),
        "nowhere must be": ("--curve", "a.png", "--benchmark", "nowhere"),
        "--device xpu9q cannot": ("--alpha", 1, "--device", "xpu9q"),
    }
    monkeypatch.chdir(tmp_path)
    for words, arguments in cases.items():
        code, printed, errors = run(*parents, *arguments)
        assert (code, printed, errors.count("\n")) == (2, "", 1), words
        assert errors.startswith("error: ") and words in errors
    for word in ("nowhere", "empty"):
        code, _, errors = run(parents[0], word, "--alpha", 1)
        assert (code, errors.count("\n")) == (2, 1)
        assert f"{word} must be a file of weights, or the folder of a run" in errors
    assert contents(tmp_path) == before


def test_what_fails_midway_leaves_nothing(run, parents, image, tmp_path, monkeypatch):
    files = ("--strip", tmp_path / "new/a.png", "--gif", tmp_path / "new/a.gif")
    arguments = (*parents, "--images", image, *files, "--alpha", 1, "--output", tmp_path / "new")
    before = contents(tmp_path)

    def fail(*_, **__):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(esrgan.commands.interpolate, "encode_gif", fail)
        assert run(*arguments)[0] == 2
    assert contents(tmp_path) == before
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", fail)
        patch.setattr(Path, "replace", fail)
        assert run(*parents, "--images", image, "--gif", tmp_path / "a.gif")[0] == 2
    assert contents(tmp_path) == before


def test_the_command_explains_itself(run, capsys):
    with pytest.raises(SystemExit) as exit_:
        run("--help")
    assert exit_.value.code == 0
    assert "ALPHA is the part of B" in capsys.readouterr().out


def test_a_mistake_in_the_arguments_does_not_wait_for_torch():
    code = (
        "import sys; from esrgan.commands.interpolate import main; "
        "main(['a', 'b', '--alpha', '2']); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("--alpha (2) must be")) == (0, 1)
