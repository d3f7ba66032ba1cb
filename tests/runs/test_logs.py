import pytest

from esrgan.runs.logs import read_log, training_time

WHOLE = "iteration,pixel,rate\r\n100,0.5,1e-4\r\n200,0.25,2e-4\r\n"
LINES = [
    {"iteration": 100, "pixel": 0.5, "rate": 1e-4},
    {"iteration": 200, "pixel": 0.25, "rate": 2e-4},
]


def test_every_number_is_read_and_empty_cells_are_left_out(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text(WHOLE + "300,,3e-4\r\n")
    assert read_log(path) == [*LINES, {"iteration": 300, "rate": 3e-4}]
    assert read_log(tmp_path / "none.csv") == []


@pytest.mark.parametrize("cut", ["300,0.1", "300,0.1,3e-4", "3", "300,0.1,\0\0", "300,0.1\r\n", ""])
def test_a_last_line_that_was_cut_short_is_left_out_even_if_it_looks_whole(tmp_path, cut):
    path = tmp_path / "train.csv"
    path.write_text(WHOLE + cut)
    assert read_log(path) == LINES


@pytest.mark.parametrize("broken", ["150,0.1", "150,nothing,1", "150,1,2,3", ",1,2"])
def test_another_broken_line_is_named(tmp_path, broken):
    path = tmp_path / "train.csv"
    path.write_text(f"iteration,pixel,rate\n100,0.5,1e-4\n{broken}\n200,0.25,2e-4\n")
    with pytest.raises(ValueError, match=rf"train.csv is broken in line 3: '{broken}'"):
        read_log(path)


def test_the_time_is_that_of_each_interval_at_its_own_speed():
    speed = [
        {"iteration": 100, "samples_per_second": 16.0},  # 800 samples in 50 s
        {"iteration": 200, "samples_per_second": 20.0},  # 800 in 40 s
        {"iteration": 250, "samples_per_second": 40.0},  # 400 in 10 s
    ]
    assert training_time(speed, batch_size=8) == (250, 100.0)
    assert training_time([], batch_size=8) == (0, 0.0)
