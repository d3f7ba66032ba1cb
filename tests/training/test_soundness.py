import math
from functools import partial

import pytest
import torch
from torch import nn

from esrgan.training import FiniteGuard, Learner, NonFiniteError, soundness
from esrgan.training.ranks import Ranks
from esrgan.training.soundness import fingerprint, is_in_a_streak, require_alike, require_finite


@pytest.fixture
def learner() -> Learner:
    learner = Learner(
        nn.Linear(2, 1),
        optimizer=partial(torch.optim.Adam, lr=0.1),
        schedule=partial(torch.optim.lr_scheduler.MultiStepLR, milestones=[2]),
        guard=FiniteGuard(clip_norm=None, max_in_a_row=9),
        ema_decay=0.5,
    )
    learner.network(torch.ones(1, 2)).sum().backward()
    learner.guard.step(learner.optimizer, torch.zeros(1))
    return learner


def test_a_healthy_training_is_sound(learner) -> None:
    require_finite({"generator": learner}, 7)
    assert not is_in_a_streak({"generator": learner})


@pytest.mark.parametrize("value", [math.inf, math.nan])
@pytest.mark.parametrize("part", ["weights", "averaged weights (EMA)", "moments of the optimizer"])
def test_what_is_not_finite_is_named_with_iteration_network_and_remedy(learner, part, value):
    moments = next(iter(learner.optimizer.state.values()))["exp_avg_sq"]
    tensors = (learner.network.weight, learner.ema.weight, moments)
    names = ("weights", "averaged weights (EMA)", "moments of the optimizer")
    with torch.no_grad():
        dict(zip(names, tensors, strict=True))[part][0, 0] = value
    with pytest.raises(NonFiniteError) as caught:
        require_finite({"discriminator": learner}, 7)
    assert str(caught.value).startswith(f"iteration 7: {part} of the discriminator are not finite")
    assert "training.optimizer.lr" in str(caught.value)


def test_a_streak_lasts_until_an_update_is_taken(learner) -> None:
    for figure, expected in ((math.nan, True), (0.0, False)):
        learner.guard.step(learner.optimizer, torch.tensor([figure]))
        assert is_in_a_streak({"generator": learner}) is expected


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_a_bit_more_or_less_is_another_fingerprint_and_an_order_is_not(dtype) -> None:
    weights = torch.randn(1000, dtype=dtype, generator=torch.Generator().manual_seed(0))
    before = fingerprint([weights, torch.tensor(True)])
    assert fingerprint([torch.tensor(True), weights.flip(0)]) == before
    weights[7] = torch.nextafter(weights[7], torch.tensor(9, dtype=dtype))
    assert fingerprint([weights, torch.tensor(True)]) != before
    weights[7] = -weights[7]
    assert fingerprint([weights, torch.tensor(True)]) != before


class ThreeRanks(Ranks):
    """Two more than this process; the last of them has other weights in one network."""

    def __init__(self, network: str) -> None:
        self.network = network

    def merged(self, mine):
        (fingerprints,) = mine.values()
        other = fingerprints | {self.network: fingerprints[self.network] + 1}
        return {"0": fingerprints, "1": fingerprints, "2": other}


def test_processes_with_other_weights_are_named_with_iteration_and_network(learner, monkeypatch):
    monkeypatch.setattr(soundness, "world_size", lambda: 3)
    learners = {"generator": learner, "discriminator": learner}
    words = (
        r"^iteration 7: the weights of the discriminator in process 2 are not those of process 0"
    )
    with pytest.raises(ValueError, match=words):
        require_alike(learners, ThreeRanks("discriminator"), 7)
