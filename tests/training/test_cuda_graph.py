"""What a GPU repeats by itself is what its host would have started."""

from types import SimpleNamespace

import pytest
import torch
from small_gan import Critic, constant, stage
from small_stage import Enlarge, batches, fit
from torch import nn

from esrgan.networks import RRDBNet
from esrgan.training import FiniteGuard, PSNRTraining, record_generator


def trainer(device="cuda", world_size=1):
    strategy = SimpleNamespace(root_device=torch.device(device))
    return SimpleNamespace(strategy=strategy, world_size=world_size)


def psnr(num_micro_batches=1):
    torch.manual_seed(0)
    return PSNRTraining(
        generator=RRDBNet(scale=2, num_features=8, num_blocks=1, growth_channels=4),
        losses={"pixel": nn.L1Loss()},
        optimizer=lambda weights: torch.optim.Adam(weights, lr=1e-2),
        schedule=constant,
        ema_decay=0.9,
        guard=FiniteGuard(clip_norm=None, max_in_a_row=1),
        num_micro_batches=num_micro_batches,
        seed=0,
    )


def gan():
    """With a generator whose passes move statistics, those that warm it up too."""
    torch.manual_seed(0)
    return stage(Enlarge(batch_norm=True), Critic(), steps_per_generator_step=2)


@pytest.fixture
def deterministic(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.gpu
@pytest.mark.parametrize("make", [psnr, gan])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_recorded_steps_are_those_that_are_not(deterministic, make, precision):
    plain, recorded = make(), make()
    record_generator(recorded, trainer())
    for each in (plain, recorded):
        fit(each, batches(6), precision, accelerator="gpu")
    assert recorded.state_dict().keys() == plain.state_dict().keys()
    for name, value in plain.state_dict().items():
        assert torch.equal(recorded.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("training", "on", "reason"),
    [
        (psnr(), trainer("cpu"), r"needs a GPU.*would train on cpu: cuda_graph=false"),
        (psnr(), trainer(world_size=2), r"one process, and this run has 2"),
        (psnr(num_micro_batches=2), trainer(), r"num_micro_batches=1 \(it is 2\)"),
    ],
)
def test_where_it_cannot_be_it_is_refused(training, on, reason):
    with pytest.raises(ValueError, match=reason):
        record_generator(training, on)
    assert training.recorded is None
