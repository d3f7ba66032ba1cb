from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"iteration,pixel\n1x0,0.5\n20,0.25\n", 2),
        (b"iteration,pixel\n10,0.5\n20,0.2\xff5\n30,0.1\n", 3),
        (b"iteration,pixel\n1.5,0.5\n20,0.25\n", 2),
        (b"itera\0ion,pixel\n10,0.5\n", 1),
        (b"\xfe\xff,pixel\n10,0.5\n20,0.25\n", 1),
        (b"pixel,rate\n10,0.5\n20,0.25\n", 2),
    ],
)
def test_a_damaged_log_is_named_and_left_as_it_is(
    tmp_path: Path, content: bytes, line: int
) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"train\.csv is broken in line {line}: "):
        CSVLogs(tmp_path, first=15)
    assert path.read_bytes() == content


@pytest.mark.parametrize("rest", [b"", b"30,0.1", b"\0" * 200, b"30\n"])
def test_what_a_crash_left_of_a_last_line_is_removed(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(b"iteration,pixel\n10,0.5\n20,0.25\n" + rest)
    CSVLogs(tmp_path, first=15)
    assert path.read_text().splitlines() == ["iteration,pixel", "10,0.5"]


def test_a_refused_line_names_its_file_and_is_left_out_later(tmp_path, files_up_to):
    log(tmp_path, first=1, iterations=range(1, 3))
    size = (tmp_path / "train.csv").stat().st_size
    with files_up_to(size + 4), pytest.raises(OSError, match=r"too large: '.*train\.csv'"):
        log(tmp_path, first=3, iterations=range(3, 4))
    log(tmp_path, first=3, iterations=range(3, 4))
    lines = (tmp_path / "train.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["iteration", "1", "2", "3"]
