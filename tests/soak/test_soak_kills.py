import pytest
from killing import kill_and_resume
from run_content import content

NUM_KILLS = 100


@pytest.mark.parametrize("stage", ["", "_gan", "_blind"], ids=["psnr", "gan", "blind"])
def test_a_run_killed_a_hundred_times_ends_bit_identical(
    server, request, tmp_path, share_of, stage
):
    settings = request.getfixturevalue(f"{stage}_settings".removeprefix("_"))
    finished = request.getfixturevalue(f"finished{stage}")
    kill_and_resume(server, tmp_path, settings, num_kills=share_of(NUM_KILLS))
    assert content(tmp_path / "experiments/run") == content(finished / "experiments/run")
