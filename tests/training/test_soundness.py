import math
from functools import partial

import pytest
import torch
from torch import nn

from esrgan.training import FiniteGuard, Learner, NonFiniteError
from esrgan.training.soundness import is_in_a_streak, require_finite


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
