"""What cannot work is refused soon, with words that help, and nothing is written."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from esrgan.__main__ import COMMANDS

TRAIN = Path(__file__).parents[2] / "train.py"


def refused(server, folder, settings):
    """The error of a start that must not work, nor leave anything behind."""
    before = files(folder)
    training = server.start(folder, settings)
    assert training.wait() == 2
    assert training.stdout == ""
    assert training.stderr.startswith("error: ")
    assert "Traceback" not in training.stderr
    assert files(folder) == before
    return training.stderr.removeprefix("error: ").rstrip()


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("generator.num_block", 2, r"generator.num_block is not a setting: did you mean num_bl"),
        ("patchsize", 64, r"patchsize is not a setting: did you mean patch_size\?"),
        ("+foo", 1, r"foo is not a setting: there are adversarial, "),
        ("scale", "abc", r"scale: Value 'abc' of type 'str' could not be converted to Integer"),
        ("training.optimizer.lr", "abc", r"training.optimizer.lr \('abc'\) must be of .* float"),
        ("generator.num_blocks", "many", r"generator.num_blocks \('many'\) must be of .* int"),
        (
            "patch_size",
            130,
            r"patch_size \(130\) must be a multiple of scale \(4\): use 128 or 132",
        ),
        ("patch_size", 64, r"6 of 6 images are smaller than patch_size \(64\): .* 48 or less"),
        ("train_set", "missing", r"train_set \(missing\) is not a folder: .* train_set=FOLDER"),
        ("train_set", ".", r"\. is not a data set, it has no gt.lmdb/data.mdb: build one with"),
        ("validation_set", ".", r"\. holds no images: PNG, JPEG, "),
        ("scale", 2, r"data set .*/train_x4 is x4, this run is x2: set scale=4, or build"),
        ("generator.scale", 2, r"scale \(4\) must be that of the generator: set scale=2 and"),
        ("experiment", "quick", r"experiment/quick does not exist: did you mean quickstart\?"),
        ("name", "a=b", r"name=a=b cannot be read without quotes.*: give 'name=\"a=b\"'$"),
        (
            "init_from",
            "none.pth",
            r"init_from \(none.pth\) is not a file, nor .*: train the stage be",
        ),
        ("init_discriminator_from", "d.pth", r"init_discriminator_from \(d.pth\) has no effect in"),
        (
            "schedule.warmup_iterations",
            60,
            r"schedule.warmup_iterations \(60\) must be .* iterations \(60\)",
        ),
        (
            "checkpoints.monitor",
            "psnr",
            r"checkpoints.monitor \(psnr\) is not one of .* PSNR-Y",
        ),
        ("training.optimizer.lr", -1, r"training.optimizer.lr \(-1\): Invalid learning rate"),
        ("training.guard.clip_norm", -1, r"training.guard.clip_norm \(-1\) must be more than 0"),
        (
            "training.losses.pixel.weight",
            -1,
            r"training.losses.pixel.weight \(-1\) must be more than 0",
        ),
        ("generator.num_blocks", 0, r"generator.num_blocks \(0\) must be greater than 0"),
        ("trainer.accelerator", "gpus", r"trainer: .*gpus"),
        ("data.num_workers", -1, r"data.num_workers \(-1\) must be at least 0"),
        ("name", "2024_11", r"name=2024_11 would be read as 202411: give 'name=\"2024_11\"'"),
        ("resume", True, r"experiments/run holds no run to continue: start one without resume"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(server, settings, tmp_path, key, value, message):
    error = refused(server, tmp_path, settings | {key: value})
    assert re.match(message, error)
    assert "\n" not in error


def test_a_start_of_the_discriminator_that_is_not_there_is_refused(server, gan_settings, tmp_path):
    error = refused(server, tmp_path, gan_settings | {"init_discriminator_from": "no_run"})
    assert re.match(r"init_discriminator_from \(no_run\) must be a file of weights, or the", error)


def test_a_metric_that_cannot_be_measured_is_refused_before_the_first_iteration(
    server, settings, tmp_path, reference_data
):
    """The images for validation have 48 x 56 pixels."""
    niqe = {
        "metrics": "[PSNR-Y,NIQE]",
        "validation.metrics.niqe_model": next(reference_data.rglob("niqe_pris_params.npz")),
    }
    training = server.start(tmp_path, settings | niqe)
    assert training.wait() == 2
    message = r"error: validation_set has images that metrics refuse:\n  x: NIQE needs two blocks"
    assert re.search(message, training.stderr)
    assert not (training.run / "train.csv").exists()
    assert server.start(tmp_path, settings | {"iterations": 12}).wait() == 0


def flip_a_byte(dataset):
    with lmdb.open(str(dataset / "gt.lmdb"), readonly=True, lock=False) as environment:
        record = bytes(environment.begin().get(b"c"))
    file = dataset / "gt.lmdb/data.mdb"
    content = bytearray(file.read_bytes())
    content[content.index(record) + len(record) // 2] ^= 1
    file.write_bytes(content)


def truncate(dataset):
    os.truncate(dataset / "lq.lmdb/data.mdb", 8192)


def delete_a_record(dataset):
    with (
        lmdb.open(str(dataset / "gt.lmdb"), map_size=1 << 24) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.delete(b"c")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip_a_byte, r"data set .*/bad has 1 problems:\n  c: .*gt.lmdb was changed.*: copy"),
        (truncate, r".*/bad/lq.lmdb/data.mdb has 8192 bytes instead of .*: copy .* again"),
        (delete_a_record, r".*/bad/gt.lmdb/data.mdb has .* bytes instead of .*: copy .* again"),
    ],
)
def test_a_damaged_data_set_is_refused(server, settings, tmp_path, damage, message):
    dataset = shutil.copytree(settings["train_set"], tmp_path / "bad")
    damage(dataset)
    assert re.match(message, refused(server, tmp_path, settings | {"train_set": dataset}))


@pytest.mark.parametrize(("name", "package"), [("wandb", "wandb"), ("comet", "comet")])
def test_a_logger_whose_package_is_missing_says_so(server, settings, tmp_path, name, package):
    if importlib.util.find_spec(f"{package}_ml" if name == "comet" else package):
        pytest.skip(f"{package} is installed")
    error = refused(server, tmp_path, settings | {"logger": name})
    assert re.search(rf"{package}.*install", error)
    assert "\n" not in error


def test_a_folder_that_holds_a_run_is_not_written_over(server, settings, finished):
    error = refused(server, finished, settings)
    assert re.match(r"experiments/run already holds a run.* resume=true,.* name=ANOTHER", error)


def test_a_slip_in_an_experiment_of_ones_own_is_told_with_its_place(server, settings, tmp_path):
    own = tmp_path / "own/experiment/mine.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("# @package _global_\npatch_size: [32\nseed: 1\n")  # no ] in the next line
    training = server.start(tmp_path, {"experiment": "mine"}, words=["--config-dir", "own"])
    assert training.wait() == 2
    assert re.match(r"error: .*/mine.yaml, line 3: [^\n]*\n$", training.stderr)


def write(folder, **images):
    for name, image in images.items():
        cv2.imwrite(str(folder / f"{name}.png"), image)


def test_all_images_of_the_validation_that_cannot_be_used_are_named(server, settings, tmp_path):
    images = shutil.copytree(settings["validation_set"], tmp_path / "images")
    clear = np.zeros((48, 48, 4), np.uint8)
    write(images, clear=clear, whole=np.zeros((48, 48, 3), np.uint8))
    (images / "cut.png").write_bytes((images / "whole.png").read_bytes()[:-20])
    (images / "short.png").write_bytes((images / "whole.png").read_bytes()[:-30])
    error = refused(server, tmp_path, settings | {"validation_set": images})
    assert "short.png: " in error and "cut.png: " in error
    assert "whole.png" not in error
    for name in ("cut", "short"):  # what their beginnings do not tell is told of the others
        (images / f"{name}.png").unlink()
    error = refused(server, tmp_path, settings | {"validation_set": images})
    assert "clear.png: has transparent pixels" in error and "whole.png" not in error


def test_so_are_those_that_are_too_small_for_a_metric(server, settings, tmp_path):
    images = shutil.copytree(settings["validation_set"], tmp_path / "images")
    write(images, tiny=np.zeros((16, 48, 3), np.uint8), low=np.zeros((12, 12, 3), np.uint8))
    error = refused(server, tmp_path, settings | {"validation_set": images})
    assert re.search(r"\n  low: SSIM needs 11x11 .*\n  tiny: SSIM needs 11x11", error)


@pytest.mark.parametrize(
    "word", ["validation_set=null", "validation=null", "~validation", "validation.pairs=null"]
)
def test_without_validation_nothing_of_it_is_judged(server, settings, tmp_path, word):
    rest = {k: v for k, v in settings.items() if not k.startswith("validation")} | {
        "iterations": 12
    }
    others = {"checkpoints.monitor": "NO_METRIC", "metrics": "[NO_METRIC]"}
    training = server.start(
        tmp_path, {}, words=[*(f"{k}={v}" for k, v in (rest | others).items()), word]
    )
    assert training.wait() == 0, training.stderr
    assert (training.run / "run.pth").exists() and not (training.run / "val.csv").exists()


def test_a_run_is_not_continued_with_other_settings(server, settings, finished):
    changed = {"resume": True, "seed": 1, "data.num_workers": 2}
    error = refused(server, finished, settings | changed)
    assert "\n  seed: 0 then, 1 now\n" in error
    assert "num_workers" not in error
    assert "name=ANOTHER_NAME init_from=WEIGHTS" in error


WATCHED = """
import sys
from esrgan.commands import train
from esrgan.data.lmdb_store import LmdbReader
def refuse(*_, **__): raise AssertionError("a record was read, or a network built")
LmdbReader.read = train.new_generator = refuse
code = train.main(sys.argv[1:])
heavy = {"pytorch_lightning", "tensorboard"} | (set() if code else {"torch"})
print("imported:", *sorted(heavy & set(sys.modules)))
sys.exit(code)
"""


def command(folder, *arguments):
    """The command as a user gives it; what is imported for it is said in the end.

    What a mistake costs is what is imported, read and built before it is found, not a time.
    """
    return python(folder, "-c", WATCHED, *map(str, arguments))


def python(folder, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(TRAIN).parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_misspelt_key_is_found_before_anything_is_imported_for_long(tmp_path):
    sets = [f"train_set={tmp_path}", f"validation_set={tmp_path}"]
    words = ["experiment=quickstart", "generator.num_block=2", *sets]
    ended = command(tmp_path, *words)
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: generator.num_block is not a setting: did you mean num_blocks?\n"
    )
    assert ended.stdout == "imported:\n"
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_of_another_scale_is_found_before_it_is_read(settings, tmp_path):
    sets = [f"{key}={settings[key]}" for key in ("train_set", "validation_set")]
    ended = command(tmp_path, "experiment=quickstart", "scale=2", *sets)
    assert ended.returncode == 2
    assert re.fullmatch(r"error: data set .* is x4, this run is x2: .*\n", ended.stderr)
    assert ended.stdout == "imported:\n"
    assert list(tmp_path.iterdir()) == []


def test_without_arguments_the_experiments_are_listed(tmp_path):
    ended = command(tmp_path)
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert {"quickstart", "rrdb_psnr", "ablation/deep_he"} <= set(ended.stdout.splitlines())
    assert ended.stdout.endswith("imported:\n")
    assert list(tmp_path.iterdir()) == []


HELP = """
import sys
from esrgan.__main__ import main
try:
    code = main(sys.argv[1:])
except SystemExit as ended:  # argparse's way
    code = ended.code
heavy = {"torch", "pytorch_lightning", "torchvision", "tensorboard"}
print("imported:", *sorted(heavy & set(sys.modules)))
sys.exit(code)
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_help_imports_nothing_that_takes_seconds(tmp_path, name):
    ended = python(tmp_path, "-c", HELP, name, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.endswith("imported:\n")
    assert "usage" in ended.stdout


@pytest.mark.parametrize("name", ["train", "upscale", "export", "check-data"])
def test_an_unknown_argument_starts_nothing(tmp_path, name):
    known = {"train": [], "check-data": ["a"]}.get(name, ["a", "b", "--output", "c"])
    ended = python(tmp_path, "-m", "esrgan", name, *known, "--no-such-option")
    assert ended.returncode == 2
    assert "no-such-option" in ended.stderr
    assert list(tmp_path.iterdir()) == []
