"""What cannot work is refused in seconds, with words that help, and nothing is written."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

TRAIN = Path(__file__).parents[2] / "train.py"
LONGEST = 10  # seconds, the imports included


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
        ("validation_set", ".", r"\. holds no images: supported are \.bmp, "),
        ("scale", 2, r"data set .*/train_x4 is x4, this run is x2: set scale=4, or build"),
        ("generator.scale", 2, r"scale \(4\) must be that of the generator: set scale=2 and"),
        ("experiment", "quick", r"experiment/quick does not exist: there are esrgan, "),
        ("name", "a=b", r"name=a=b is not KEY=VALUE: .* quotes"),
        ("init_from", "none.pth", r"init_from \(none.pth\) is not a file: train the stage before"),
        (
            "schedule.warmup_iterations",
            60,
            r"warmup_iterations \(60\) must be .* iterations \(60\)",
        ),
        (
            "checkpoints.monitor",
            "psnr",
            r"checkpoints.monitor \(psnr\) is not one of .* PSNR-Y",
        ),
        ("resume", True, r"experiments/run holds no run to continue: start one without resume"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(server, settings, tmp_path, key, value, message):
    error = refused(server, tmp_path, settings | {key: value})
    assert re.match(message, error)
    assert "\n" not in error


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


def test_a_folder_that_holds_a_run_is_not_written_over(server, settings, finished):
    error = refused(server, finished, settings)
    assert re.match(r"experiments/run already holds a run.* resume=true,.* name=ANOTHER", error)


def test_a_run_is_not_continued_with_other_settings(server, settings, finished):
    changed = {"resume": True, "seed": 1, "data.num_workers": 2}
    error = refused(server, finished, settings | changed)
    assert "\n  seed: 0 then, 1 now\n" in error
    assert "num_workers" not in error
    assert "name=ANOTHER_NAME init_from=WEIGHTS" in error


def command(folder, *arguments):
    """The command as a user gives it, with its imports."""
    before = os.times()
    ended = subprocess.run(
        [sys.executable, TRAIN, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    after = os.times()  # the processor's time: a busy machine must not fail the test
    used = after.children_user - before.children_user + after.children_system
    assert used - before.children_system < LONGEST
    return ended


def test_a_misspelt_key_costs_seconds(tmp_path):
    sets = [f"train_set={tmp_path}", f"validation_set={tmp_path}"]
    ended = command(tmp_path, "experiment=quickstart", "generator.num_block=2", *sets)
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: generator.num_block is not a setting: did you mean num_blocks?\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_of_another_scale_costs_seconds(settings, tmp_path):
    sets = [f"{key}={settings[key]}" for key in ("train_set", "validation_set")]
    ended = command(tmp_path, "experiment=quickstart", "scale=2", *sets)
    assert ended.returncode == 2
    assert re.fullmatch(r"error: data set .* is x4, this run is x2: .*\n", ended.stderr)
    assert list(tmp_path.iterdir()) == []


def test_without_arguments_the_experiments_are_listed(tmp_path):
    ended = command(tmp_path)
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert {"quickstart", "rrdb_psnr", "ablation/deep_he"} <= set(ended.stdout.splitlines())
    assert list(tmp_path.iterdir()) == []
