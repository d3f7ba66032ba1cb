import json
from multiprocessing import get_context
from pathlib import Path

import pytest

from esrgan.training import RunFolder
from esrgan.training.checkpoints import write_checkpoint

SETTINGS = {"scale": 4, "resume": False, "data": {"num_workers": 2, "batch_size": 16}}


def start(folder: Path, **changes) -> RunFolder:
    run = RunFolder(folder, settings=SETTINGS | changes, resume=False)
    run.begin()
    return run


def resume(folder: Path) -> None:
    RunFolder(folder, settings=SETTINGS, resume=True).begin()


def test_a_run_keeps_its_settings(tmp_path: Path) -> None:
    start(tmp_path / "run")
    assert json.loads((tmp_path / "run/settings.json").read_text()) == SETTINGS


def test_a_folder_that_holds_a_run_is_never_written_over(tmp_path: Path) -> None:
    write_checkpoint(start(tmp_path).checkpoints, 5, {})
    with pytest.raises(ValueError, match=r"already holds a run.*resume=true.*name="):
        RunFolder(tmp_path, settings=SETTINGS, resume=False)


def test_a_run_that_failed_before_its_first_checkpoint_may_start_again(tmp_path: Path) -> None:
    start(tmp_path)._lock.close()
    start(tmp_path, scale=2)
    assert json.loads((tmp_path / "settings.json").read_text())["scale"] == 2


def test_a_run_that_another_process_trained_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    late = RunFolder(tmp_path, settings=SETTINGS, resume=False)
    first = start(tmp_path)
    write_checkpoint(first.checkpoints, 5, {})
    first._lock.close()
    with pytest.raises(ValueError, match="already holds a run"):
        late.begin()


def test_nothing_is_written_before_the_run_begins(tmp_path: Path) -> None:
    RunFolder(tmp_path / "run", settings=SETTINGS, resume=False)
    assert not (tmp_path / "run").exists()


def test_a_missing_run_cannot_be_continued(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no run to continue"):
        RunFolder(tmp_path / "missing", settings=SETTINGS, resume=True)


def test_auto_starts_a_run_where_there_is_none(tmp_path: Path) -> None:
    RunFolder(tmp_path / "run", settings=SETTINGS, resume="auto").begin()
    assert json.loads((tmp_path / "run/settings.json").read_text()) == SETTINGS


def test_auto_starts_again_what_failed_before_its_first_checkpoint(tmp_path: Path) -> None:
    start(tmp_path, scale=2)._lock.close()
    RunFolder(tmp_path, settings=SETTINGS, resume="auto").begin()
    assert json.loads((tmp_path / "settings.json").read_text())["scale"] == 4


def test_auto_continues_a_run_with_its_own_settings_only(tmp_path: Path) -> None:
    run = start(tmp_path)
    write_checkpoint(run.checkpoints, 5, {"iteration": 5})
    run._lock.close()
    with pytest.raises(ValueError, match=r"scale: 4 then, 2 now"):
        RunFolder(tmp_path, settings=SETTINGS | {"scale": 2}, resume="auto")
    again = RunFolder(tmp_path, settings=SETTINGS | {"resume": "auto"}, resume="auto")
    again.begin()
    assert again.newest_checkpoint()["iteration"] == 5


def test_settings_that_would_change_the_result_may_not_change(tmp_path: Path) -> None:
    start(tmp_path)
    changed = SETTINGS | {"scale": 2}
    with pytest.raises(ValueError, match=r"scale: 4 then, 2 now"):
        RunFolder(tmp_path, settings=changed, resume=True)


def test_the_number_of_workers_may_change(tmp_path: Path) -> None:
    start(tmp_path)._lock.close()
    changed = SETTINGS | {"resume": True, "data": {"num_workers": 0, "batch_size": 16}}
    RunFolder(tmp_path, settings=changed, resume=True).begin()


def test_two_processes_cannot_train_in_one_folder(tmp_path: Path) -> None:
    first = start(tmp_path)
    with get_context("fork").Pool(1) as pool:
        with pytest.raises(ValueError, match="another process is training"):
            pool.apply(resume, [tmp_path])
        first._lock.close()
        pool.apply(resume, [tmp_path])
