"""Several processes compute what one does with the same global batch, and end together."""

import csv
import signal

import pytest
from run_content import content, logged_iterations

from esrgan.runs import read_newest

IN_DOUBLE = {
    "precision": "64-true",
    "batch_size": 4,
    "iterations": 20,
    "validation.every": 10,
    "checkpoints.every": 10,
    "training.optimizer.lr": 1e-3,
}
WITH_BATCH_NORM = {"generator": "srresnet", "generator.batch_norm": True}


@pytest.fixture
def psnr(settings):
    kept = settings | {"training.ema_decay": 0.9}
    del kept["generator.growth_channels"]
    return kept | IN_DOUBLE | WITH_BATCH_NORM | {"training.guard.clip_norm": 0.1}


@pytest.fixture
def esrgan(gan_settings):
    return gan_settings | IN_DOUBLE | {"discriminator": "vgg"}


@pytest.fixture
def srgan(esrgan):
    kept = esrgan | {"experiment": "srgan"}
    del kept["generator.growth_channels"], kept["training.losses.perceptual.loss.layers.conv5_4"]
    return kept | {"training.losses.perceptual.loss.layers.relu5_4": "null"}


@pytest.fixture
def added(esrgan):
    """Losses and an optimizer of choice."""
    pytest.importorskip("pytorch_optimizer")
    losses = {"losses": "[ldl,ms_ssim,focal_frequency,chroma]"}
    return (
        esrgan | losses | {"training.losses.ms_ssim.loss.scales": 2, "optimizer": "schedule_free"}
    )


@pytest.mark.parametrize(
    "stage",
    [
        "psnr",
        "esrgan",
        pytest.param("srgan", marks=pytest.mark.slow),
        pytest.param("added", marks=pytest.mark.slow),
    ],
)
def test_two_processes_compute_what_one_does(server, tmp_path, request, stage):
    settings = request.getfixturevalue(stage)
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    alone = server.start(one, settings)
    together = server.start_several(two, settings, count=2)
    assert [training.wait() for training in (alone, *together)] == [0, 0, 0], together[1].stderr
    states = [read_newest(folder / "experiments/run/checkpoints") for folder in (one, two)]
    networks = ["generator", "ema", *(["discriminator"] if stage != "psnr" else [])]
    for network in networks:
        assert_close(*(state[network] for state in states))
    assert_same_metrics(*(folder / "experiments/run/val.csv" for folder in (one, two)))


def assert_close(ours, theirs):
    """Each tensor to 1e-8 of its norm.

    BatchNorm takes the bias of the convolution before it away again: its gradient is nothing but
    rounding, which Adam makes steps of. That it has no effect shows in the metrics.
    """
    assert ours.keys() == theirs.keys()
    without_effect = {name.replace("norm", "conv") for name in ours if "norm" in name}
    for name in ours.keys() - without_effect:
        mine, other = ours[name].double(), theirs[name].double()
        assert (mine - other).norm() <= 1e-8 * other.norm(), name


def assert_same_metrics(ours, theirs):
    rows = [list(csv.DictReader(path.read_text().splitlines())) for path in (ours, theirs)]
    assert [row["iteration"] for row in rows[0]] == ["10", "20"]
    for mine, other in zip(*rows, strict=True):
        for name in mine:
            assert float(mine[name]) == pytest.approx(float(other[name]), rel=0, abs=1e-9), name


@pytest.mark.slow
def test_a_signal_to_one_process_stops_both_and_both_go_on_to_the_same_bits(
    server, gan_settings, tmp_path
):
    settings = gan_settings | {"iterations": 48}
    folder = tmp_path / "stopped"
    folder.mkdir()
    processes = server.start_several(folder, settings, count=2)
    processes[0].wait_for_iteration(20)
    processes[1].send(signal.SIGTERM)
    assert [process.wait() for process in processes] == [75, 0]
    assert "stopped by SIGTERM" in processes[0].stdout
    stopped_at = read_newest(folder / "experiments/run/checkpoints")["iteration"]
    assert 20 <= stopped_at < 48

    resumed = server.start_several(folder, settings | {"resume": True}, count=2)
    assert [process.wait() for process in resumed] == [0, 0]
    assert f"from iteration {stopped_at} to 48 on 2" in resumed[0].stdout
    assert logged_iterations(processes[0].run / "train.csv") == list(range(3, 49, 3))

    whole = server.start_several(tmp_path, settings, count=2)
    assert [process.wait() for process in whole] == [0, 0]
    assert content(processes[0].run) == content(whole[0].run)


@pytest.mark.slow
def test_a_signal_ends_a_validation_of_both_and_it_is_done_again(server, settings, tmp_path):
    photos = settings["validation_set"].parent / "photos"  # six of them
    many = settings | {"validation_set": photos, "iterations": 24, "validation.every": 10}
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for folder in (whole, stopped):
        folder.mkdir()
    assert [p.wait() for p in server.start_several(whole, many, count=2)] == [0, 0]

    processes = server.start_several(stopped, many, count=2, fault="slow_validation")
    processes[0].wait_for(lambda: len(list(stopped.glob("reached_*"))) > 6)  # the baseline's
    processes[1].send(signal.SIGTERM)
    assert [process.wait() for process in processes] == [75, 0]
    assert "goes on from iteration 10" in processes[0].stdout
    assert len(list(stopped.glob("reached_*"))) < 12
    resumed = server.start_several(stopped, many | {"resume": True}, count=2)
    assert [process.wait() for process in resumed] == [0, 0]
    assert content(processes[0].run) == content(whole / "experiments/run")


def test_a_run_of_two_processes_is_continued_by_one(server, gan_settings, tmp_path):
    shorter = gan_settings | {"iterations": 10}
    assert [p.wait() for p in server.start_several(tmp_path, shorter, count=2)] == [0, 0]
    newest = max((tmp_path / "experiments/run/checkpoints").glob("*.ckpt"))
    newest.unlink()  # as if it had been killed before
    assert server.start(tmp_path, shorter | {"resume": True}).wait() == 0


def test_what_fails_on_one_process_ends_both(server, gan_settings, tmp_path):
    """The first process cannot write its second checkpoint; the other would wait for it."""
    at_once = gan_settings | {"checkpoints.full_disk_retries": 0}
    first, second = server.start_several(tmp_path, at_once, count=2, fault="full_disk")
    assert (first.wait(), second.wait()) == (2, 2)
    assert "No space left on device" in first.stderr
    assert "another process failed while writing a checkpoint" in second.stderr
    assert read_newest(tmp_path / "experiments/run/checkpoints")["iteration"] == 5


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGKILL, 2, "another process of this run is gone"),
        pytest.param(
            *(signal.SIGSTOP, 75, "another process of this run is silent (longest_wait)"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_process_without_the_other_says_so_and_ends(
    server, gan_settings, tmp_path, number, code, words
):
    impatient = gan_settings | {"longest_wait": 1}
    first, second = server.start_several(tmp_path, impatient, count=2)
    first.wait_for_iteration(20)
    second.send(number)
    assert first.wait() == code, first.stderr
    assert "Traceback" not in first.stderr
    said = first.stdout + first.stderr
    assert f"{words}; the same command with resume=true goes on from iteration" in said
    second.send(signal.SIGKILL)
    second.wait()
    assert read_newest(first.run / "checkpoints")["iteration"] >= 20


def test_processes_that_would_start_from_different_weights_are_refused(
    server, gan_settings, tmp_path
):
    processes = server.start_several(tmp_path, gan_settings, count=2, differ={"seed": [0, 1]})
    assert [process.wait() for process in processes] == [2, 2]
    for process in processes:
        assert "the processes differ in what they start from" in process.stderr


def test_processes_whose_weights_have_come_apart_write_no_checkpoint(server, settings, tmp_path):
    processes = server.start_several(tmp_path, settings, count=2, fault="one_process_drifts")
    assert [process.wait() for process in processes] == [2, 2]
    for process in processes:
        assert "iteration 10: the weights of the generator in process 1 are not" in process.stderr
        assert "Traceback" not in process.stderr
    (kept,) = (tmp_path / "experiments/run/checkpoints").glob("*.ckpt")
    assert kept.name.startswith("iteration_00000005")
