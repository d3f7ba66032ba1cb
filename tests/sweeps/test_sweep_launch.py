"""Sweeps as Hydra makes them of a command line, with a stand-in for train.py that takes no time."""

import importlib.util
import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore

import esrgan
from esrgan.commands.configs import configs_folder
from esrgan.hydra_errors import plain_errors
from esrgan.runs import Settings
from esrgan.signals import END
from esrgan.sweeps.launch import LAUNCHERS, sweep

SCRIPT = """
import json, os, sys
from pathlib import Path
name = sys.argv[-1].removeprefix("name='").removesuffix("'")
note = {"arguments": sys.argv[1:-1], "gpus": os.environ.get("CUDA_VISIBLE_DEVICES")}
started = Path("started", name.replace("/", "+"))
started.parent.mkdir(exist_ok=True)
started.write_text(json.dumps(note))
print("trains", name, flush=True)
if "side_by_side" in str(Path.cwd()):
    import time
    while len(list(Path("started").iterdir())) < 2: time.sleep(0.01)
sys.exit(2 if "seed=13" in sys.argv else 0)
"""


ConfigStore.instance().store("settings", Settings)


DATA = ("DF2K_x4", "DF2K_OST_x4", "DIV2K_x4", "sample_x4", "Set5/HR", "sample/held_out")


def make_data(folder: Path) -> None:
    """Where the experiments look for data, which nothing here reads."""
    for name in DATA:
        (folder / "data" / name).mkdir(parents=True)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    handlers = {number: signal.getsignal(number) for number in END}
    logs = {name: logging.getLogger(name) for name in ("", "hydra", "hydra_plugins")}
    state = {name: (log.level, list(log.handlers)) for name, log in logs.items()}
    monkeypatch.chdir(tmp_path)
    make_data(tmp_path)
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    for name, (level, log_handlers) in state.items():
        logs[name].setLevel(level)
        logs[name].handlers = log_handlers


def run(*words: str, own: Path | None = None) -> int:
    """`train.py -m WORDS`, whose trainings are imagined."""
    script = Path("script.py").resolve()
    script.write_text(SCRIPT)
    arguments = get_args_parser().parse_args(["-m", *words])
    with plain_errors():
        command = [sys.executable, str(script)]
        return sweep(arguments, configs=configs_folder(), own=own, command=command)


def started() -> dict[str, dict[str, object]]:
    notes = sorted(Path("started").iterdir())
    return {path.name.replace("+", "/"): json.loads(path.read_text()) for path in notes}


def test_every_combination_trains_in_its_own_folder(capfd) -> None:
    code = run("experiment=ablation/rrdb_patch_96,quickstart", "seed=range(1,2)", "batch_size=8")
    assert code == 0
    names = ["ablation/rrdb_patch_96/seed=1", "quickstart/seed=1"]
    assert list(started()) == names
    given = ["resume=auto", "experiment=quickstart", "seed=1", "batch_size=8"]
    assert started()[names[1]]["arguments"] == given
    assert capfd.readouterr().out.splitlines() == [
        f"job 1 of 2: {names[0]}",
        f"trains {names[0]}",
        f"job 2 of 2: {names[1]}",
        f"trains {names[1]}",
        "all jobs are done, and this compares them:",
        f"esrgan report experiments/{names[0]} experiments/{names[1]}",
    ]
    assert not Path("experiments").exists()  # Hydra left nothing


@pytest.mark.parametrize("batches", [[], ["hydra.sweeper.max_batch_size=1"]])
def test_a_job_that_fails_stops_no_other(batches) -> None:
    with pytest.raises(ValueError, match=r"^1 of 2 jobs failed:\n  quickstart/seed=13: exit code"):
        run("experiment=quickstart", "seed=13,2", *batches)
    assert list(started()) == ["quickstart/seed=13", "quickstart/seed=2"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("patch_size=64,130", r"patch_size=130: patch_size \(130\) must be a multiple of scale"),
        ("batch_size=8,0", r"batch_size=0: batch_size \(0\) must be at least 1"),
        ("train_set=data/DIV2K_x4,data/none", r"train_set \(data/none\) is not a folder"),
        ("training.optimizer.lr=1e-4,high", r"training.optimizer.lr \('high'\) must be of"),
        ("+generator.foo=[],1", r"generator.foo is not a setting: there are"),
        ("+checkpoints.everyy=1,2", r"checkpoints.everyy is not a setting: did you mean every"),
        ("train_set='${validation_set}','${none}'", r"Interpolation key 'none' not found"),
    ],
)
def test_all_jobs_are_judged_before_the_first_starts(word, message) -> None:
    with pytest.raises(ValueError, match=rf"^job \d of 2, quickstart/.*{message}"):
        run("experiment=quickstart", word)
    assert not Path("started").exists()


def test_weights_that_an_earlier_job_may_make_need_not_be_there() -> None:
    assert run("experiment=quickstart", "init_from=null,experiments/none/none.pth") == 0
    assert len(started()) == 2


def test_what_is_asked_about_resuming_is_left_to_the_user() -> None:
    run("experiment=quickstart", "resume=False")
    assert started()["quickstart"]["arguments"] == [
        "resume=auto",
        "experiment=quickstart",
        "resume=False",  # Hydra takes the last one
    ]


def test_the_jobs_can_be_shown_instead(capsys) -> None:
    assert run("experiment=glob([quickstart])", "seed=3,4", "--cfg", "job", "-p", "seed") == 0
    assert capsys.readouterr().out == "--- # quickstart/seed=3\n3\n--- # quickstart/seed=4\n4\n"
    assert not Path("started").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], r"You must specify 'experiment'"),
        (["seed=1,2"], r"You must specify 'experiment'"),
        (["experiment=quickstart", "patchsize=1,2"], r"patchsize is .*: did you mean patch_size\?"),
        (["experiment=quickstart,quick"], r"experiment/quick does not exist: did you mean quicks"),
        (["experiment=quickstart", "seed=0,abc"], r"seed: Value 'abc' .* converted to Integer"),
        (["experiment=quickstart", "seed=1,1"], r"seed=1 .* both train in experiments/quickstart/"),
        (["experiment=quickstart", "name=a=b,c"], r"name=a=b,c cannot be read without quotes"),
        (["experiment=glob(nothing*)"], r"describes no job: a glob"),
        (["experiment=quickstart", "seed=interval(0,1)"], r"does not support sweep type"),
        (["experiment=quickstart", "--hydra-help"], r"-m and --hydra-help cannot be comb"),
    ],
)
def test_a_command_that_cannot_work_starts_nothing(words, message) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        run(*words)
    assert "\n" not in str(caught.value)
    assert not Path("started").exists()
    assert not Path("experiments").exists()


def test_a_key_that_only_a_swept_choice_has_may_be_given(capfd) -> None:
    assert run("experiment=srgan,esrgan", "discriminator.num_features=8") == 0
    assert set(started()) == {"srgan", "esrgan"}


def test_a_launcher_that_is_not_installed_is_named_with_what_installs_it(monkeypatch) -> None:
    monkeypatch.setitem(LAUNCHERS, "joblib", ("no-such-package", "sweeps"))
    with pytest.raises(ValueError, match=r"joblib needs no-such-package: pip .*'\.\[sweeps\]'"):
        run("experiment=quickstart", "hydra/launcher=joblib")


def test_a_users_own_experiments_can_be_swept() -> None:
    Path("own/experiment").mkdir(parents=True)
    Path("own/experiment/mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - /experiment/quickstart\n  - _self_\nseed: 7\n",
        encoding="utf-8",
    )
    assert run("experiment=mine", "patch_size=64,96", own=Path("own")) == 0
    assert list(started()) == ["mine/patch_size=64", "mine/patch_size=96"]
    assert started()["mine/patch_size=64"]["arguments"][:2] == ["--config-dir", "own"]


def launched(folder: Path, *words: str) -> str:
    """A sweep in a process of its own, because its launcher leaves others running for a while."""
    path = [str(Path(esrgan.__file__).parents[1]), str(Path(__file__).parent)]
    program = f"import sys; sys.path[:0] = {path}"
    program += "; from test_sweep_launch import run; run(*sys.argv[1:])"
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "4,7", "TMPDIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


@pytest.fixture
def side_by_side(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "side_by_side"
    make_data(folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.slow
def test_jobs_side_by_side_get_a_gpu_each(side_by_side) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra sweeps")
    parallel = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    output = launched(side_by_side, "experiment=quickstart", "seed=0,1", *parallel)
    assert {note["gpus"] for note in started().values()} == {"4", "7"}
    assert re.search(r"^esrgan report .*seed=0 .*seed=1$", output, re.MULTILINE)


@pytest.mark.soak
def test_submitit_starts_jobs_and_keeps_their_logs(side_by_side) -> None:
    if importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher") is None:
        pytest.skip("the extra slurm is not installed")
    output = launched(
        side_by_side, "experiment=quickstart", "seed=0,1", "hydra/launcher=submitit_local"
    )
    assert list(started()) == ["quickstart/seed=0", "quickstart/seed=1"]
    (kept,) = re.findall(r"logs are in (.*)", output)
    logs = [path.read_text() for path in Path(kept).glob(".submitit/*/*_log.out")]
    assert sorted(re.findall(r"job . of 2: .*", "".join(logs))) == [
        "job 1 of 2: quickstart/seed=0",
        "job 2 of 2: quickstart/seed=1",
    ]
