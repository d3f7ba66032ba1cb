import json
import logging
from multiprocessing import get_context
from pathlib import Path

import pytest

from esrgan.runs import OpenRun, read_settings, say_of, write_checkpoint
from esrgan.runs.settings import Change

SETTINGS = {"scale": 4, "resume": False, "data": {"num_workers": 2, "batch_size": 16}}


def start(folder: Path, **changes) -> OpenRun:
    run = OpenRun(folder, settings=SETTINGS | changes, resume=False)
    run.begin()
    return run


def resume(folder: Path) -> None:
    OpenRun(folder, settings=SETTINGS, resume=True).begin()


def test_a_run_keeps_its_settings(tmp_path: Path) -> None:
    start(tmp_path / "run")
    assert read_settings(tmp_path / "run/settings.json") == SETTINGS


def test_what_is_logged_is_utf_8_wherever_it_runs(tmp_path: Path) -> None:
    """By default it would be what the system has, which lacks most names on Windows."""
    log = logging.getLogger("esrgan")
    before = list(log.handlers)
    start(tmp_path)
    (handler,) = [one for one in log.handlers if one not in before]
    log.removeHandler(handler)
    assert isinstance(handler, logging.FileHandler) and handler.encoding == "utf-8"


def test_a_folder_that_holds_a_run_is_never_written_over(tmp_path: Path) -> None:
    write_checkpoint(start(tmp_path).folder.checkpoints, 5, {})
    with pytest.raises(ValueError, match=r"already holds a run.*resume=true.*name="):
        OpenRun(tmp_path, settings=SETTINGS, resume=False)


def test_a_run_that_failed_before_its_first_checkpoint_may_start_again(tmp_path: Path) -> None:
    start(tmp_path).close()
    start(tmp_path, scale=2)
    assert json.loads((tmp_path / "settings.json").read_text())["scale"] == 2


@pytest.mark.parametrize("resume", [False, True, "auto"])
def test_a_release_whose_checkpoints_are_gone_is_not_passed_off_as_new(tmp_path, resume) -> None:
    release = start(tmp_path / "run").folder.release
    release.write_bytes(b"what two weeks have trained")
    with pytest.raises(ValueError, match=r"run\.pth, which is never written over, has no checkpoi"):
        OpenRun(tmp_path / "run", settings=SETTINGS, resume=resume)


@pytest.mark.parametrize("name", ["renamed.pth", "mine.safetensors"])
def test_any_release_makes_a_folder_a_run(tmp_path, name) -> None:
    (tmp_path / name).write_bytes(b"what two weeks have trained")
    with pytest.raises(ValueError, match=rf"{name}, which is never written over"):
        OpenRun(tmp_path, settings=SETTINGS, resume="auto")


def log_until(folder: Path, iteration: int) -> None:
    lines = [f"{number},0.5" for number in range(10, iteration + 1, 10)]
    (folder / "train.csv").write_text("\n".join(["iteration,pixel", *lines, ""]))


@pytest.mark.parametrize("resume", [True, "auto"])
def test_logs_past_the_first_checkpoint_are_not_cut_because_it_is_gone(tmp_path, resume) -> None:
    start(tmp_path, checkpoints={"every": 50}).close()
    log_until(tmp_path, 60)
    with pytest.raises(ValueError, match=r"logs up to iteration 60, and no checkpoint in .*: put"):
        OpenRun(tmp_path, settings=SETTINGS, resume=resume)


def test_logs_before_it_may_be_begun_again_by_those_who_ask_for_it(tmp_path: Path) -> None:
    start(tmp_path, checkpoints={"every": 50}).close()
    log_until(tmp_path, 50)
    with pytest.raises(ValueError, match="already holds a run"):
        OpenRun(tmp_path, settings=SETTINGS, resume=False)
    OpenRun(tmp_path, settings=SETTINGS | {"checkpoints": {"every": 50}}, resume=True)
    OpenRun(tmp_path, settings=SETTINGS, resume="auto").begin()


@pytest.mark.parametrize("name", ["train", "val", "speed"])
def test_a_damaged_log_is_named_before_anything_is_written(tmp_path: Path, name: str) -> None:
    start(tmp_path).close()
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / f"{name}.csv").write_text("iteration,a\nx,1\n2,1\n")
    with pytest.raises(ValueError, match=rf"{name}\.csv is broken in line 2"):
        OpenRun(tmp_path, settings=SETTINGS, resume=True)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / f"{name}.csv"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("[]", "it has no settings"),
        ("3", "it has no settings"),
        ('{"a": ', "Expect"),
    ],
)
def test_broken_settings_are_named_with_the_fix(tmp_path: Path, text: str, why: str) -> None:
    start(tmp_path).close()
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(ValueError, match=rf"settings\.json is broken: {why}.*init_from=WEIGHTS"):
        OpenRun(tmp_path, settings=SETTINGS, resume=True)


def test_a_run_that_has_more_iterations_than_it_is_to_have_is_told_so(tmp_path: Path) -> None:
    start(tmp_path, iterations=100).close()
    state = {"iteration": 80, "settings": SETTINGS | {"iterations": 100}}
    fewer = SETTINGS | {"iterations": 50, "allow_changes": True}
    run = OpenRun(tmp_path, settings=fewer, resume=True)
    with pytest.raises(ValueError, match=r"iterations \(50\) must be at least 80"):
        run.history_since(state)


def test_the_history_is_that_of_the_checkpoint_that_is_continued(tmp_path: Path) -> None:
    """A change whose checkpoints were lost has happened where the run goes on."""
    start(tmp_path, iterations=100, seed=2).close()
    run = OpenRun(tmp_path, settings=SETTINGS | {"iterations": 100, "seed": 2}, resume=True)
    state = {"iteration": 50, "settings": SETTINGS | {"iterations": 100, "seed": 1}, "history": []}
    assert run.history_since(state) == [{"iteration": 50, "settings": {"seed": [1, 2]}}]
    same = state | {"settings": SETTINGS | {"iterations": 100, "seed": 2}}
    assert run.history_since(same) == []


@pytest.mark.parametrize("closed", ["run", "run/checkpoints"])
def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path, monkeypatch, closed) -> None:
    write_checkpoint(start(tmp_path / "run").folder.checkpoints, 5, {})
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path / closed)
    with pytest.raises(ValueError, match=rf"{closed} cannot be written: there is no right to, in "):
        OpenRun(tmp_path / "run", settings=SETTINGS, resume=True)


def test_a_run_that_lost_its_settings_is_told_so(tmp_path: Path) -> None:
    write_checkpoint(start(tmp_path).folder.checkpoints, 5, {})
    (tmp_path / "settings.json").unlink()
    with pytest.raises(ValueError, match=r"settings\.json is missing"):
        OpenRun(tmp_path, settings=SETTINGS, resume=True)


def test_a_run_that_another_process_trained_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    late = OpenRun(tmp_path, settings=SETTINGS, resume=False)
    first = start(tmp_path)
    write_checkpoint(first.folder.checkpoints, 5, {})
    first.close()
    with pytest.raises(ValueError, match="already holds a run"):
        late.begin()


def test_nothing_is_written_before_the_run_begins(tmp_path: Path) -> None:
    OpenRun(tmp_path / "run", settings=SETTINGS, resume=False)
    assert not (tmp_path / "run").exists()


def test_a_missing_run_cannot_be_continued(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no run to continue"):
        OpenRun(tmp_path / "missing", settings=SETTINGS, resume=True)


def test_auto_starts_a_run_where_there_is_none(tmp_path: Path) -> None:
    OpenRun(tmp_path / "run", settings=SETTINGS, resume="auto").begin()
    assert read_settings(tmp_path / "run/settings.json") == SETTINGS


def test_auto_starts_again_what_failed_before_its_first_checkpoint(tmp_path: Path) -> None:
    start(tmp_path, scale=2).close()
    OpenRun(tmp_path, settings=SETTINGS, resume="auto").begin()
    assert json.loads((tmp_path / "settings.json").read_text())["scale"] == 4


def test_auto_continues_a_run_with_its_own_settings_only(tmp_path: Path) -> None:
    run = start(tmp_path)
    write_checkpoint(run.folder.checkpoints, 5, {"iteration": 5})
    run.close()
    with pytest.raises(ValueError, match=r"scale: 4 then, 2 now"):
        OpenRun(tmp_path, settings=SETTINGS | {"scale": 2}, resume="auto")
    again = OpenRun(tmp_path, settings=SETTINGS | {"resume": "auto"}, resume="auto")
    again.begin()
    assert again.folder.newest_checkpoint()["iteration"] == 5


def test_settings_that_would_change_the_result_may_not_change(tmp_path: Path) -> None:
    start(tmp_path)
    changed = SETTINGS | {"scale": 2}
    with pytest.raises(ValueError, match=r"scale: 4 then, 2 now"):
        OpenRun(tmp_path, settings=changed, resume=True)


def test_the_number_of_workers_may_change(tmp_path: Path) -> None:
    start(tmp_path).close()
    changed = SETTINGS | {"resume": True, "data": {"num_workers": 0, "batch_size": 16}}
    OpenRun(tmp_path, settings=changed, resume=True).begin()


def test_two_processes_cannot_train_in_one_folder(tmp_path: Path) -> None:
    first = start(tmp_path)
    with get_context("fork").Pool(1) as pool:
        with pytest.raises(ValueError, match="another process is training"):
            pool.apply(resume, [tmp_path])
        first.close()
        pool.apply(resume, [tmp_path])


def test_a_run_of_a_version_whose_settings_had_other_names_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "checkpoints", 5, {})
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))  # as 0.1 wrote it
    with pytest.raises(ValueError, match=r"other names \(CHANGELOG.md .*use that version"):
        OpenRun(tmp_path, settings=SETTINGS, resume=True)


def test_settings_outside_the_table_have_a_say_in_everything() -> None:
    assert say_of("training.optimizer.lr") == (Change.FROM_HERE, True, True)
    assert say_of("trainer.precision").change is Change.FROM_HERE
    assert say_of("trainer.devices").change is Change.FREE
    assert not say_of("checkpoints.every").comparison
    assert say_of("trained").recipe  # not below `train_set`, and not `trainer`
