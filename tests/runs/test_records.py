import json
import re

import pytest

from esrgan.runs import find_runs

SETTINGS = {"format": 2, "iterations": 300, "batch_size": 8}


def make(folder, settings=None):
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps(settings or SETTINGS))
    return folder


def test_a_folder_stands_for_the_runs_below_it_in_natural_order(tmp_path):
    for name in ("lr=1e-3", "lr=2e-4", "lr=0.0003", "column10", "column2"):
        make(tmp_path / "sweep" / name)
    names = [run.name for run in find_runs([tmp_path])]
    assert names == ["column2", "column10", "lr=2e-4", "lr=0.0003", "lr=1e-3"]


def test_the_order_given_counts_and_a_run_given_twice_is_one(tmp_path):
    one, two = make(tmp_path / "a/one"), make(tmp_path / "b/two")
    runs = find_runs([two, tmp_path / "b", one, tmp_path / "a/../a/one"])
    assert [run.name for run in runs] == ["b/two", "a/one"]


def test_names_are_as_short_as_tells_the_runs_apart(tmp_path):
    outer = make(tmp_path / "rrdb")
    inner = make(tmp_path / "rrdb/wide")
    assert [run.name for run in find_runs([outer])] == ["rrdb", "rrdb/wide"]
    assert [run.name for run in find_runs([inner])] == ["wide"]


def test_what_the_logs_say_is_found(tmp_path):
    folder = make(tmp_path / "run")
    (folder / "train.csv").write_text("iteration,pixel\n100,0.5\n250,0.25\n")
    (folder / "val.csv").write_text("iteration,PSNR-Y,bicubic_PSNR-Y\n100,27,28\n200,29,28\n")
    (folder / "speed.csv").write_text("iteration,samples_per_second,data_wait\n100,8,0\n")
    (run,) = find_runs([folder])
    assert (run.iterations, run.planned, run.is_unfinished) == (250, 300, True)
    assert (run.metrics, run.bicubic) == ({"PSNR-Y": 29}, {"PSNR-Y": 28})
    assert run.timed == (100, 100.0)


def test_a_run_that_has_logged_nothing_has_done_nothing(tmp_path):
    (run,) = find_runs([make(tmp_path / "run")])
    assert (run.iterations, run.is_unfinished, run.metrics, run.bicubic) == (0, True, {}, {})


def test_every_missing_or_broken_run_is_named_in_one_line(tmp_path):
    make(tmp_path / "good")
    make(tmp_path / "short", {"format": 2, "iterations": 5})
    (make(tmp_path / "cut") / "settings.json").write_text('{"iterations": ')
    (make(tmp_path / "list") / "settings.json").write_text("[1]")
    (make(tmp_path / "bare") / "settings.json").rename(tmp_path / "bare/train.csv")
    (tmp_path / "empty").mkdir()
    names = ("good", "short", "cut", "list", "bare", "empty", "absent")
    with pytest.raises(ValueError) as refusal:
        find_runs([tmp_path / name for name in names])
    text = str(refusal.value)
    assert "\n" not in text and "good" not in text
    for words in (
        r"short/settings.json is broken: it has no batch_size",
        r"cut/settings.json is broken: Expecting value",
        r"list/settings.json is broken: it has no settings by name",
        r"bare/settings.json is missing",
        r"empty holds no run \(no settings.json is in it or below it\)",
        r"absent holds no run \(it is not there\)",
    ):
        assert re.search(words, text), words
