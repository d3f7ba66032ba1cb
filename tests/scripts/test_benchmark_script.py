import copy
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from bench import loading, turns
from bench.loading import imread_patch, measure, mirrored_to
from bench.result import Table
from bench.sizes import QUICK
from bench.turns import compare_in_turns

from esrgan.data import write_png
from esrgan.evaluation.full_reference import psnr_rgb
from esrgan.hardware import choose_precision

SCRIPTS = Path(__file__).parents[2] / "scripts"
IN_BF16 = choose_precision(precision="auto", accelerator="auto") == "bf16-mixed"


def run(*arguments):
    command = [sys.executable, str(SCRIPTS / "benchmark.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def take(seconds, mebibytes, iterations, after_iteration):
    """By a clock of its own: an iteration of round n, of two, takes n times as long."""
    clock = [0.0]
    turns.perf_counter = lambda: clock[0]
    used = np.ones(mebibytes << 20, np.uint8)
    for iteration in range(iterations):
        clock[0] += seconds * (iteration // 2)
        after_iteration()
    return used.size


def die(iterations, after_iteration):
    sys.exit(7)


def test_a_table_becomes_markdown_with_three_digits():
    table = Table("Speed", "On this machine.", [{"a": "x", "b": 0.12345}, {"a": "y", "b": 12345.6}])
    lines = table.as_markdown().splitlines()
    assert lines[-4:] == [
        "| a   |      b |",
        "| --- | -----: |",
        "| x   |  0.123 |",
        "| y   | 12,346 |",
    ]


def test_a_small_photograph_is_continued_by_its_mirror_image():
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    large = mirrored_to(image, (3, 6))
    assert large.shape == (3, 6, 3)
    np.testing.assert_array_equal(large[:2, 3:], image[:, ::-1])
    assert mirrored_to(image, (1, 1)).shape == image.shape


def test_the_plain_loader_cuts_the_same_place_out_of_both_images(tmp_path):
    lq = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    write_png(tmp_path / "lq.png", lq)
    write_png(tmp_path / "gt.png", lq.repeat(4, axis=0).repeat(4, axis=1))
    for number in range(8):
        low, high = imread_patch([tmp_path / "gt.png"], [tmp_path / "lq.png"], number)
        assert high.shape == (128, 128, 3)
        np.testing.assert_array_equal(high[::4, ::4], low)


def test_a_loader_that_takes_four_times_as_long_is_four_times_as_slow(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(loading, "perf_counter", lambda: clock[0])

    def load(seconds, _number):
        clock[0] += seconds

    loads = {"fast": partial(load, 0.005), "slow": partial(load, 0.02)}
    speeds = measure(loads, rounds=3, seconds=0.05)
    assert speeds == pytest.approx({"fast": 200, "slow": 50})


@pytest.mark.slow
def test_each_form_is_timed_and_its_memory_read_in_a_process_of_its_own():
    forms = {"long": partial(take, 0.06, 1), "brief": partial(take, 0.02, 64)}
    table, results, _ = compare_in_turns("", forms, "", rounds=3, iterations=2, unit="turn")
    long, brief = table.rows
    assert (long["form"], brief["form"]) == ("long", "brief")
    assert long["s per turn"] == pytest.approx(0.06)  # the first round after that to warm up
    assert (long["turns/s"], brief["turns/s"]) == pytest.approx((1 / 0.06, 1 / 0.02))
    assert (long["median"], brief["median"]) == pytest.approx((0.12, 0.04))
    assert (long["× as fast"], brief["× as fast"]) == pytest.approx((1, 3))
    assert long["MiB"] < 60 < brief["MiB"] < 80
    assert brief["× the memory"] == brief["MiB"] / long["MiB"]
    assert results == [1 << 20, 64 << 20]


def test_a_form_whose_process_ends_is_named_with_its_exit_code():
    with pytest.raises(ValueError, match="deadly: the process ended with code 7"):
        compare_in_turns("", {"deadly": die}, "", rounds=1, iterations=1, unit="turn")


def networks(stage):
    vgg = stage.losses["perceptual"].loss.vgg
    return {"generator": stage.generator, "vgg": vgg, "discriminator": stage.discriminator}


@pytest.mark.parametrize(
    ("passes", "adversarial"),
    [("five_passes", "relativistic_detached"), ("four_passes", "relativistic")],
)
def test_a_plain_gan_step_has_the_gradients_of_the_projects_own(passes, adversarial):
    # Not above: the processes of other tests import this file, and Lightning takes seconds
    from bench import steps

    changes = {"adversarial": adversarial, "precision": "64-true", **steps.RANDOM_VGG}
    changes |= {"deterministic": False}  # it is of the whole process
    cfg = steps.experiment("esrgan_basicsr", QUICK, changes)
    theirs = {name: copy.deepcopy(n) for name, n in networks(steps.train(cfg, [])).items()}
    step = steps.plain_gan(getattr(steps, passes), **theirs, bf16=False)
    (batch,) = steps.batches(cfg, 1)

    step(*(images.permute(0, 3, 1, 2).double() / 255 for images in batch.values()))
    ours = networks(steps.train(cfg, steps.batches(cfg, 1)))

    for name in ("generator", "discriminator"):
        pairs = zip(ours[name].parameters(), theirs[name].parameters(), strict=True)
        for our, their in pairs:
            assert (our.grad - their.grad).norm() <= 1e-5 * their.grad.norm() + 1e-12


def test_the_plain_pass_is_what_the_upscaler_does_in_float32():
    from bench.upscaling import Upscaler, centre, plain, random_network

    noise = np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype=np.uint8)
    photograph = centre(noise, 50)
    np.testing.assert_array_equal(photograph, noise[5:55])
    network = random_network(QUICK.upscaling, photograph)
    expected = plain(network)(photograph)
    assert expected.shape == (200, 160, 3)
    assert 30 < expected.std() < 80
    sr = Upscaler(network, dtype=torch.float32, tile=32)(photograph)
    assert psnr_rgb(sr, expected, crop=0) > 70  # a few values are rounded to the other side


@pytest.mark.slow
def test_the_loading_table_is_printed_and_written_and_never_overwritten(tmp_path):
    output = tmp_path / "new" / "benchmark.json"
    done = run("--quick", "--only", "data", "--output", output, "--record", tmp_path / "speed")
    assert done.returncode == 0, done.stderr
    assert "| LMDB, raw  " in done.stdout
    (recorded,) = (tmp_path / "speed").glob("*.csv")
    assert recorded.read_text().count("Loading,") == 5
    rows = json.loads(output.read_text())["tables"][0]["rows"]
    speeds = {row["store"]: row["patches/s"] for row in rows}
    assert next(iter(speeds)) == "LMDB, raw" and "PNG files, sub-images of 480" in speeds
    for row in rows:
        assert row["ms per patch"] == pytest.approx(1e3 / row["patches/s"])
        ratio = speeds["LMDB, raw"] / row["patches/s"]
        assert row["the first is × as fast"] == pytest.approx(ratio)

    again = run("--quick", "--only", "data", "--output", output)
    assert again.returncode == 2
    assert again.stderr == f"error: {output} exists and is not overwritten: choose another name\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", 0], "error: --rounds (0) must be at least 1\n"),
        (["--only", "data", "--images", "no_such_folder"], "error: no_such_folder is not a folder"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, message):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(message) and done.stderr.count("\n") == 1


def test_an_option_that_no_chosen_subject_heeds_is_refused():
    done = run("--only", "data", "step", "--seeds", 2)
    assert done.returncode == 2
    assert "--seeds has no effect without --only bf16" in done.stderr


@pytest.mark.soak
def test_two_processes_are_timed_on_both_links_and_compared_with_the_model(tmp_path):
    output = tmp_path / "benchmark.json"
    done = run("--quick", "--only", "processes", "--output", output)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    psnr, gan, model = json.loads(output.read_text())["tables"]
    for table, forms in ((psnr, 2), (gan, 3)):
        assert [row["× as fast"] > 0 for row in table["rows"]] == [True] * 2 * forms
        assert table["rows"][-1]["by the model"] > table["rows"][forms - 1]["s per iteration"]
    assert len(model["rows"]) == 6


def is_a_step(rows):
    assert [row["× as fast"] > 0 for row in rows] == [True] * (4 if IN_BF16 else 3)
    assert [0 < row["share of the roof"] < 1 for row in rows] == [True] * len(rows)
    assert [row["waits for data"] for row in rows[:-1]] == ["-"] * (len(rows) - 1)
    assert 0 <= float(rows[-1]["waits for data"].rstrip("%")) < 100


def is_degrading(rows):
    assert [row["× as fast"] > 0 for row in rows] == [True] * 4


def is_quality(rows):
    assert [row["seed"] for row in rows] == ["0", "mean"]
    assert abs(float(rows[-1]["bf16 less fp32"])) < 1


def is_upscaling(rows):
    assert [float(row["PSNR, dB"]) > 40 for row in rows] == [True] * (2 * IN_BF16 + 3)


@pytest.mark.parametrize(
    ("subject", "is_right"),
    [
        pytest.param("degradation", is_degrading, marks=pytest.mark.slow),
        pytest.param("gan", is_a_step, marks=pytest.mark.soak),
        pytest.param("step", is_a_step, marks=pytest.mark.soak),
        pytest.param("bf16", is_quality, marks=pytest.mark.soak),
        pytest.param("upscale", is_upscaling, marks=pytest.mark.slow),
    ],
)
def test_a_subject_runs_to_its_end(tmp_path, subject, is_right):
    output = tmp_path / "benchmark.json"
    done = run("--quick", "--only", subject, "--output", output)
    assert done.returncode == 0, done.stderr
    known = "rocket.jpg says that it has colours other than sRGB"  # one of the sample photographs
    assert [line for line in done.stderr.splitlines() if known not in line] == []
    (table,) = json.loads(output.read_text())["tables"]
    is_right(table["rows"])
