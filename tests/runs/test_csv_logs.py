from pathlib import Path

from esrgan.runs import CSVLogs


def log(folder: Path, *, first: int, iterations: range) -> None:
    logs = CSVLogs(folder, first=first)
    for iteration in iterations:
        logs.write({"train/pixel": 1 / iteration, "val/PSNR-Y": 30.0}, iteration=iteration)


def test_each_group_of_metrics_has_a_file(tmp_path: Path) -> None:
    log(tmp_path, first=1, iterations=range(1, 3))
    lines = (tmp_path / "train.csv").read_text().splitlines()
    assert lines == ["iteration,pixel", "1,1.0", "2,0.5"]
    assert (tmp_path / "val.csv").read_text().splitlines()[0] == "iteration,PSNR-Y"


def test_a_continued_log_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    log(whole, first=1, iterations=range(1, 9))
    log(parts, first=1, iterations=range(1, 7))
    with (parts / "train.csv").open("a") as file:
        file.write("7,0.14")  # killed while it wrote a line
    log(parts, first=5, iterations=range(5, 9))
    assert (whole / "train.csv").read_bytes() == (parts / "train.csv").read_bytes()


def test_numbers_are_written_in_full(tmp_path: Path) -> None:
    CSVLogs(tmp_path, first=1).write({"train/pixel": 1 / 3}, iteration=1)
    assert float((tmp_path / "train.csv").read_text().splitlines()[1].split(",")[1]) == 1 / 3


def test_a_metric_that_comes_later_gets_a_column(tmp_path: Path) -> None:
    logs = CSVLogs(tmp_path, first=1)
    logs.write({"train/pixel": 1.0}, iteration=1)
    logs.write({"train/perceptual": 2.0, "train/pixel": 3.0}, iteration=2)
    lines = (tmp_path / "train.csv").read_text().splitlines()
    assert lines == ["iteration,pixel,perceptual", "1,1.0,", "2,3.0,2.0"]


def test_a_file_of_the_users_own_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("iteration,note\n7,mine\n")
    log(tmp_path, first=1, iterations=range(1, 3))
    CSVLogs(tmp_path, first=2).flush()
    assert (tmp_path / "mine.csv").read_text() == "iteration,note\n7,mine\n"
