from pathlib import Path

from esrgan.training import CSVLogger


def log(folder: Path, *, purge_step: int, iterations: range) -> None:
    logger = CSVLogger(save_dir=folder, purge_step=purge_step)
    for iteration in iterations:
        logger.log_metrics({"train/pixel": 1 / iteration, "val/psnr_y": 30.0}, step=iteration)


def test_each_group_of_metrics_has_a_file(tmp_path: Path) -> None:
    log(tmp_path, purge_step=1, iterations=range(1, 3))
    lines = (tmp_path / "train.csv").read_text().splitlines()
    assert lines == ["iteration,pixel", "1,1.0", "2,0.5"]
    assert (tmp_path / "val.csv").read_text().splitlines()[0] == "iteration,psnr_y"


def test_a_continued_log_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    log(whole, purge_step=1, iterations=range(1, 9))
    log(parts, purge_step=1, iterations=range(1, 7))
    with (parts / "train.csv").open("a") as file:
        file.write("7,0.14")  # killed while it wrote a line
    log(parts, purge_step=5, iterations=range(5, 9))
    assert (whole / "train.csv").read_bytes() == (parts / "train.csv").read_bytes()


def test_numbers_are_written_in_full(tmp_path: Path) -> None:
    CSVLogger(save_dir=tmp_path, purge_step=1).log_metrics({"train/pixel": 1 / 3}, step=1)
    assert float((tmp_path / "train.csv").read_text().splitlines()[1].split(",")[1]) == 1 / 3


def test_a_metric_that_comes_later_gets_a_column(tmp_path: Path) -> None:
    logger = CSVLogger(save_dir=tmp_path, purge_step=1)
    logger.log_metrics({"train/pixel": 1.0}, step=1)
    logger.log_metrics({"train/perceptual": 2.0, "train/pixel": 3.0}, step=2)
    lines = (tmp_path / "train.csv").read_text().splitlines()
    assert lines == ["iteration,pixel,perceptual", "1,1.0,", "2,3.0,2.0"]
