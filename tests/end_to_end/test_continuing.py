"""A run is made longer, moved and changed on its way; and what is lost of one is not hidden."""

import json
import shutil

import pytest
import torch
from run_content import content, logged_iterations

from esrgan.data import CODECS, Recipe, build_dataset
from esrgan.degradations import resize_double
from esrgan.runs import read_newest
from esrgan.weights import load_generator, read_metadata

RUN = "experiments/run"


@pytest.fixture(scope="module")
def stepped(settings):
    """Settings of a short run whose learning rate does not depend on its length."""
    rest = {key: value for key, value in settings.items() if not key.startswith("schedule.")}
    schedule = {"schedule.milestones": "[15,25]", "training.ema_decay": 0.9}
    return rest | schedule | {"experiment": "rrdb_psnr", "generator": "rrdb_tiny", "log_every": 5}


@pytest.fixture(scope="module")
def short(server, stepped, tmp_path_factory):
    """The folder that a run of 20 iterations was started in; not to be changed."""
    folder = tmp_path_factory.mktemp("short")
    assert server.start(folder, stepped | {"iterations": 20}).wait() == 0
    return folder


@pytest.fixture
def copy(short, tmp_path):
    return shutil.copytree(short, tmp_path / "copy")


def resume(server, folder, settings):
    training = server.start(folder, settings | {"resume": True})
    return training.wait(), training


def refusal(server, folder, settings):
    """Why a run is not continued; nothing in its folder is touched."""
    files = {path: path.stat().st_mtime_ns for path in (folder / RUN).rglob("*")}
    code, training = resume(server, folder, settings)
    assert code == 2
    assert training.stdout == ""
    assert "Traceback" not in training.stderr
    assert {path: path.stat().st_mtime_ns for path in (folder / RUN).rglob("*")} == files
    return training.stderr


def newest(folder, name="run"):
    return read_newest(folder / "experiments" / name / "checkpoints")


def test_a_run_made_longer_renamed_and_moved_equals_one_of_that_length(
    server, stepped, copy, tmp_path
):
    (copy / RUN).rename(copy / "experiments/other")
    sets = {key: shutil.copytree(stepped[key], tmp_path / key) for key in ("train_set",)}
    elsewhere = sets | {"name": "other", "validation.every": 20, "checkpoints.every": 7}
    code, training = resume(server, copy, stepped | elsewhere | {"iterations": 40})
    assert code == 0
    assert "train_set now (of the same content)" in training.stdout
    (tmp_path / "whole").mkdir()
    assert server.start(tmp_path / "whole", stepped | {"iterations": 40}).wait() == 0
    longer, whole = content(copy / "experiments/other"), content(tmp_path / "whole" / RUN)
    told = {key for key in longer if key.startswith("/history/0/")}
    logs = {"val.csv", "tensorboard"}  # of which there are fewer lines, as was asked for
    assert {k: v for k, v in longer.items() if k not in told | logs} == {
        k: v for k, v in whole.items() if k not in logs
    }
    assert newest(copy, "other")["history"] == [
        {"iteration": 20, "settings": {"iterations": [20, 40]}}
    ]


@pytest.mark.slow
def test_a_longer_run_keeps_what_it_released_before(server, stepped, copy):
    before = (copy / RUN / "run.pth").read_bytes()
    assert resume(server, copy, stepped | {"iterations": 22})[0] == 0
    assert (copy / RUN / "run_00000020.pth").read_bytes() == before
    assert read_metadata(copy / RUN / "run.pth")["iterations"] == "22"


def test_another_learning_rate_is_refused_then_allowed_and_told_everywhere(server, stepped, copy):
    changed = stepped | {"iterations": 30, "training.optimizer.lr": 1e-3}
    error = refusal(server, copy, changed)
    assert "\n  training.optimizer.lr: 0.01 then, 0.001 now\n" in error
    assert "allow_changes=true" in error
    code, training = resume(server, copy, changed | {"allow_changes": True})
    assert code == 0
    lr = [0.01, 0.001]
    history = [{"iteration": 20, "settings": {"iterations": [20, 30], "training.optimizer.lr": lr}}]
    assert json.loads((copy / RUN / "history.json").read_text())["changes"] == history
    recipe = json.loads(read_metadata(copy / RUN / "run.pth")["recipe"])
    assert recipe["changes"] == [
        {"iteration": 20, "iterations": [20, 30], "training.optimizer.lr": lr}
    ]
    line = "from iteration 20 on, training.optimizer.lr: 0.001 (before: 0.01)"
    assert line in training.stdout and line in (copy / RUN / "train.log").read_text()
    # halved at 15 and at 25, as if it had had this one from the start
    rates = [row.split(",")[-1] for row in (copy / RUN / "train.csv").read_text().splitlines()[1:]]
    assert list(map(float, rates)) == [0.01, 0.01, 0.005, 0.005, 0.00025, 0.00025]
    assert resume(server, copy, changed)[0] == 0  # it is now the run's own


@pytest.mark.slow
def test_a_schedule_that_depends_on_the_length_says_what_becomes_of_it(
    server, settings, finished, tmp_path
):
    folder = shutil.copytree(finished, tmp_path / "copy")
    code, training = resume(server, folder, settings | {"iterations": 62})
    assert code == 0
    assert "from iteration 60 on, iterations: 62 (before: 60)" in training.stdout
    assert "iteration 60: from here on the learning rate of the generator is" in training.stdout


def test_another_data_set_at_the_same_path_is_noticed(server, stepped, copy, tmp_path):
    dataset = shutil.copytree(stepped["train_set"], tmp_path / "train_x4")
    same = stepped | {"train_set": dataset, "iterations": 22}
    assert resume(server, copy, same)[0] == 0
    shutil.rmtree(dataset)
    recipe = Recipe(scale=4, codec=CODECS["raw"], downscale=resize_double)
    build_dataset(dataset, recipe, gt_folders=[stepped["train_set"].parent / "held_out"])
    error = refusal(server, copy, same | {"iterations": 24})
    assert f"train_set: {dataset} (" in error and " now, of another content\n" in error


def test_a_device_on_which_auto_is_another_precision_is_noticed(server, stepped, tmp_path):
    auto = stepped | {"precision": "auto", "iterations": 2}
    assert server.start(tmp_path, auto, fault="bfloat16").wait() == 0
    longer = auto | {"iterations": 4, "resume": True}
    refused = server.start(tmp_path, longer, fault="no_bfloat16")
    assert refused.wait() == 2
    assert "\n  precision: auto (bf16-mixed) then, auto (32-true) now\n" in refused.stderr
    allowed = server.start(tmp_path, longer | {"allow_changes": True}, fault="no_bfloat16")
    assert allowed.wait() == 0, allowed.stderr
    line = "from iteration 2 on, precision: auto (32-true) (before: auto (bf16-mixed))"
    assert line in (tmp_path / RUN / "train.log").read_text(encoding="utf-8")


@pytest.mark.slow
def test_networks_cannot_change(server, stepped, copy):
    wider = stepped | {"iterations": 30, "generator.num_features": 12, "allow_changes": True}
    error = refusal(server, copy, wider)
    assert "generator.num_features: 8 then, 12 now" in error
    assert "allow_changes" not in error


@pytest.mark.slow
def test_a_setting_that_a_run_did_not_have_has_its_default(server, stepped, copy):
    path = copy / RUN / "settings.json"
    older = json.loads(path.read_text())
    for part, key in ((older["training"], "num_micro_batches"), (older, "deterministic")):
        del part[key]
    path.write_text(json.dumps(older))
    longer = stepped | {"iterations": 20}
    assert resume(server, copy, longer)[0] == 0
    path.write_text(json.dumps(older))
    assert "deterministic: not set then, False now" in refusal(
        server, copy, longer | {"deterministic": False}
    )


@pytest.mark.parametrize(
    "moved",
    ["gone", *(pytest.param(name, marks=pytest.mark.slow) for name in ("moved.pth", "other.pth"))],
)
def test_what_a_run_started_from_may_be_gone(server, stepped, short, tmp_path, moved):
    start = shutil.copy(short / RUN / "run.pth", tmp_path / "start.pth")
    rest = {key: value for key, value in stepped.items() if not key.startswith("generator")}
    fine = rest | {"generator": "from_file", "init_from": start, "iterations": 6}
    assert server.start(tmp_path, fine).wait() == 0
    start.rename(tmp_path / "moved.pth")
    torch.save({}, tmp_path / "other.pth")
    name = start if moved == "gone" else tmp_path / moved
    code, training = resume(server, tmp_path, fine | {"init_from": name, "iterations": 8})
    assert code == 0, training.stderr
    assert newest(tmp_path)["iteration"] == 8
    assert load_generator(tmp_path / RUN / "run.pth").architecture["num_features"] == 8


@pytest.mark.parametrize("resumed", [pytest.param(True, marks=pytest.mark.slow), "auto"])
def test_a_run_whose_checkpoints_are_elsewhere_is_not_begun_again(server, stepped, copy, resumed):
    (copy / RUN / "run.pth").unlink()
    (copy / RUN / "checkpoints").rename(copy / "elsewhere")
    error = refusal(server, copy, stepped | {"iterations": 20, "resume": resumed})
    assert "has logs up to iteration 20, and no checkpoint in" in error
    assert logged_iterations(copy / RUN / "train.csv") == [5, 10, 15, 20]


@pytest.mark.parametrize("at", [pytest.param(10, marks=pytest.mark.slow), 60])
def test_a_validation_that_fails_costs_no_iteration(server, settings, finished, tmp_path, at):
    fails = server.start(tmp_path, settings, fault=f"validation_fails_at_{at}")
    assert fails.wait() == 2
    assert newest(tmp_path)["iteration"] == at
    code, training = resume(server, tmp_path, settings)
    assert code == 0
    assert content(training.run) == content(finished / RUN)
