"""A run that is killed, as often and wherever it may be, ends as if it had never been."""

import re
import shutil
import signal

import pytest
import torch
from killing import kill_and_resume, kill_in_a_write, resume
from run_content import content, logged_iterations, scalars

from esrgan.runs import read_newest
from esrgan.runs.logs import read_log
from esrgan.weights import load_state_dict_file

RELEASE = "experiments/run/run.pth"


def test_an_uninterrupted_run_logs_each_iteration_once(finished):
    run = finished / "experiments/run"
    assert logged_iterations(run / "train.csv") == list(range(3, 61, 3))
    assert logged_iterations(run / "val.csv") == list(range(10, 61, 10))
    assert [step for step, _ in scalars(run)["train/pixel"]] == list(range(3, 61, 3))
    assert [step for step, _ in scalars(run)["val/PSNR-Y"]] == list(range(10, 61, 10))


@pytest.fixture(params=["psnr", "gan", pytest.param("blind", marks=pytest.mark.slow)])
def whole(request):
    """The settings of a stage, and the folder of its run that nothing interrupted."""
    names = {
        "psnr": ("settings", "finished"),
        "gan": ("gan_settings", "finished_gan"),
        "blind": ("blind_settings", "finished_blind"),
    }
    return [request.getfixturevalue(name) for name in names[request.param]]


@pytest.mark.parametrize(
    ("num_workers", "num_kills"), [(0, 2), pytest.param(2, 5, marks=pytest.mark.slow)]
)
def test_a_run_killed_again_and_again_ends_bit_identical(
    server, whole, tmp_path, num_workers, num_kills
):
    settings, finished = whole
    with_workers = settings | {"data.num_workers": num_workers}
    kill_and_resume(server, tmp_path, with_workers, num_kills=num_kills)
    assert content(tmp_path / "experiments/run") == content(finished / "experiments/run")


def test_a_checkpoint_of_the_gan_stage_has_both_networks_and_optimizers(finished_gan):
    state = read_newest(finished_gan / "experiments/run/checkpoints")
    assert {"generator", "ema", "discriminator", "progress"} < state.keys()
    moments = [len(each["optimizer"]["state"]) for each in state["progress"].values()]
    # weights alone have moments: BatchNorm's statistics have none
    weights = [k for k in state["discriminator"] if "running" not in k and "tracked" not in k]
    assert moments == [len(state["generator"]), len(weights)]
    assert list(state["progress"]) == ["generator", "discriminator"]
    assert all({"guard", "schedule"} < each.keys() for each in state["progress"].values())


@pytest.mark.slow
def test_a_run_in_bfloat16_killed_three_times_ends_bit_identical(server, settings, tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    in_bfloat16 = settings | {"precision": "bf16-mixed"}
    whole = server.start(tmp_path / "whole", in_bfloat16)
    assert whole.wait() == 0
    kill_and_resume(server, tmp_path / "killed", in_bfloat16, num_kills=3)
    assert content(tmp_path / "killed/experiments/run") == content(whole.run)


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("precision", "cuda_graph"), [("32-true", False), ("bf16-mixed", False), ("bf16-mixed", True)]
)
def test_a_gan_run_on_a_gpu_killed_once_ends_bit_identical(
    server, gan_settings, tmp_path, precision, cuda_graph
):
    on_a_gpu = gan_settings | {"trainer.accelerator": "gpu", "precision": precision}
    on_a_gpu |= {"cuda_graph": cuda_graph}
    for name in ("whole", "again", "killed"):
        (tmp_path / name).mkdir()
    for name in ("whole", "again"):
        assert server.start(tmp_path / name, on_a_gpu).wait() == 0
    kill_and_resume(server, tmp_path / "killed", on_a_gpu, num_kills=1)
    whole = content(tmp_path / "whole/experiments/run")
    assert content(tmp_path / "again/experiments/run") == whole
    assert content(tmp_path / "killed/experiments/run") == whole


def test_a_run_killed_in_its_first_write_starts_again(server, settings, finished, tmp_path):
    kill_in_a_write(server, tmp_path, settings, after=0)
    assert read_newest(tmp_path / "experiments/run/checkpoints") is None
    training = resume(server, tmp_path, settings)
    assert training.wait() == 0
    assert "from iteration 0 to 60" in training.stdout
    assert content(training.run) == content(finished / "experiments/run")


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    server, settings, finished, tmp_path
):
    folder = shutil.copytree(finished, tmp_path / "damaged")
    (newest,) = folder.glob("experiments/run/checkpoints/*00060-*.ckpt")
    damaged = bytearray(newest.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    newest.write_bytes(damaged)
    training = resume(server, folder, settings)
    assert training.wait() == 0
    assert "from iteration 55 to 60" in training.stdout
    assert f"{newest.name} is damaged" in training.stdout
    assert content(training.run) == content(finished / "experiments/run")


def test_a_finished_run_is_left_as_it_is(server, settings, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "again")
    released = (folder / RELEASE).stat().st_mtime_ns
    training = resume(server, folder, settings)
    assert training.wait() == 0
    assert "from iteration" not in training.stdout
    assert (folder / RELEASE).stat().st_mtime_ns == released
    assert content(training.run) == content(finished / "experiments/run")


def test_the_release_is_the_average_of_the_last_checkpoint(finished):
    released = load_state_dict_file(finished / RELEASE)
    state = read_newest(finished / "experiments/run/checkpoints")
    assert state["iteration"] == 60
    assert_equal(released, state["ema"])
    assert any(not torch.equal(state["generator"][key], state["ema"][key]) for key in released)


def test_another_run_starts_from_released_weights(server, settings, finished, tmp_path):
    """Its network is then the file's too: no setting says how many blocks or features it has."""
    release = {"init_from": finished / RELEASE, "iterations": 12, "training.optimizer.lr": 0}
    others = {key: v for key, v in settings.items() if not key.startswith("generator.")}
    training = server.start(tmp_path, others | release | {"generator": "from_file"})
    assert training.wait() == 0
    assert f"{finished / RELEASE}: " in training.stdout
    # at the start and at the end: the network has fewer growth channels than spandrel expects
    assert training.stdout.count("note: programs that read weights by spandrel (chaiNNer") == 2
    state = read_newest(training.run / "checkpoints")
    assert_equal(state["generator"], load_state_dict_file(finished / RELEASE))


def test_weights_that_fit_in_part_are_loaded_only_if_asked_for(
    server, settings, finished, tmp_path
):
    larger = {"init_from": finished / RELEASE, "generator.num_blocks": 2, "iterations": 12}
    refused = server.start(tmp_path, settings | larger)
    assert refused.wait() == 2
    assert "fits the network only in part (init_partial=true" in refused.stderr
    assert not (tmp_path / "experiments").exists()
    assert server.start(tmp_path, settings | larger | {"init_partial": True}).wait() == 0


def test_another_run_starts_from_the_discriminator_of_a_run(
    server, gan_settings, finished_gan, tmp_path
):
    """A run's folder stands for its newest checkpoint, which is read at the start only."""
    run = shutil.copytree(finished_gan / "experiments/run", tmp_path / "earlier")
    expected = read_newest(run / "checkpoints")["discriminator"]
    start = {"init_discriminator_from": run, "training.discriminator.optimizer.lr": 0}
    short = gan_settings | start | {"iterations": 2}
    training = server.start(tmp_path, short)
    assert training.wait() == 0, training.stderr
    assert re.search(
        r"iteration_00000060\S+ckpt: \d+ of the network's \d+ tensors", training.stdout
    )
    found = read_newest(training.run / "checkpoints")["discriminator"]
    learnt = [key for key in expected if "running" not in key and "tracked" not in key]
    assert_equal({key: found[key] for key in learnt}, {key: expected[key] for key in learnt})
    shutil.rmtree(run)
    assert server.start(tmp_path, short | {"resume": True}).wait() == 0


@pytest.fixture(scope="module")
def collapsing(finished, settings):
    """Settings of a fine-tuning that ruins what it began with."""
    return settings | {
        "init_from": finished / RELEASE,
        "metrics": "[PSNR-Y,CONTRAST]",
        "training.optimizer.lr": 0.3,
        "schedule.warmup_iterations": 1,
        "iterations": 40,
        "checkpoints.keep_last": 2,
    }


@pytest.fixture(scope="module")
def ruined(server, collapsing, tmp_path_factory):
    training = server.start(tmp_path_factory.mktemp("ruined"), collapsing)
    assert training.wait() == 0, training.stderr
    return training


def test_a_fine_tuning_is_validated_before_it_begins_and_compared_with_that(ruined, finished):
    lines = read_log(ruined.run / "val.csv")
    assert [line["iteration"] for line in lines] == [0, 10, 20, 30, 40]
    before = read_log(finished / "experiments/run/val.csv")[-1]
    assert lines[0]["PSNR-Y"] == pytest.approx(before["PSNR-Y"])
    said = (ruined.run / "train.log").read_text()
    assert re.search(r"WARNING iteration \d+: PSNR-Y is .* was \S+ at the start: .*collapse?", said)
    assert re.search(r"INFO the best by PSNR-Y \S+ is that of iteration \d0: \S+ckpt, and no", said)


def test_it_is_said_once_while_it_lasts_also_where_the_run_was_continued(
    server, collapsing, ruined, tmp_path
):
    training = server.start(tmp_path, collapsing)
    training.wait_for_iteration(12)  # it was said at 10, and is still so at 20
    training.send(signal.SIGTERM)
    assert training.wait() == 75
    assert resume(server, tmp_path, collapsing).wait() == 0
    assert content(training.run) == content(ruined.run)
    said, expected = (
        re.findall("WARNING (iteration .*)", (run / "train.log").read_text())
        for run in (training.run, ruined.run)
    )
    assert said == expected
    assert len([words for words in said if "collapsing" in words]) == 1


def test_a_fine_tuning_killed_before_its_first_checkpoint_logs_its_start_once(
    server, collapsing, ruined, tmp_path
):
    kill_in_a_write(server, tmp_path, collapsing, after=0)
    assert logged_iterations(tmp_path / "experiments/run/val.csv") == [0]
    training = resume(server, tmp_path, collapsing)
    assert training.wait() == 0, training.stderr
    assert content(training.run) == content(ruined.run)


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for key in first:
        torch.testing.assert_close(first[key], second[key], rtol=0, atol=0)
