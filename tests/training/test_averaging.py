"""Gradients that travel while passes go on, against means that are taken afterwards."""

import weakref
from collections.abc import Callable
from functools import partial

import pytest
import torch
from small_gan import Critic, constant, stage
from small_stage import Enlarge, batches, fit
from torch import Tensor, nn
from torch import distributed as dist
from two_processes import in_two_processes, share

from esrgan.training import averaging, gan, ranks
from esrgan.training.averaging import Averaging
from esrgan.training.ranks import average


class Late:
    """Another process whose numbers are three times as large: the mean is twice ours.

    A message is not a number until somebody has waited for it, as it is while it travels.
    """

    def __init__(self, message: Tensor) -> None:
        self.message, self.mine = message, message.clone()
        message.fill_(torch.nan)

    def wait(self) -> None:
        self.message.copy_(4 * self.mine)


@pytest.fixture
def another_process(monkeypatch) -> Callable[..., None]:
    def pretend(on_message: Callable[[Tensor], None] = lambda _: None) -> None:
        def all_reduce(message: Tensor, *, async_op: bool) -> Late:
            assert async_op
            on_message(message)
            return Late(message)

        monkeypatch.setattr(averaging, "world_size", lambda: 2)
        monkeypatch.setattr(ranks, "world_size", lambda: 2)
        monkeypatch.setattr(dist, "all_reduce", all_reduce)
        monkeypatch.setattr(gan, "gather", lambda logits: logits)

    return pretend


def layers() -> nn.Sequential:
    """One of the weights is not trained."""
    torch.manual_seed(0)
    network = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(5)))
    network[2].weight.requires_grad_(False)
    return network


def compute(network: nn.Sequential, batch: Tensor) -> None:
    network(batch).tanh().square().mean().backward()


def as_they_come() -> None:
    averaging.MESSAGE = 2 * 4 * 4 * 4  # bytes: two layers
    batches = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(1))
    plain, ours = layers(), layers()
    for batch in batches:
        compute(plain, share(batch))
    expected = [weight.grad for weight in plain.parameters() if weight.grad is not None]
    average(expected)
    begun = Averaging(ours.parameters(), passes=2)
    for batch in batches:
        compute(ours, share(batch))
    figure = share(torch.tensor([1.0, 3.0])).clone()
    begun.send([figure])
    begun.receive()
    found = [weight.grad for weight in ours.parameters() if weight.grad is not None]
    assert len(found) == 4 and figure.item() == 2
    for mine, other in zip(found, expected, strict=True):
        assert torch.equal(mine, other)


@pytest.mark.slow
def test_they_are_the_means_over_two_processes(tmp_path) -> None:
    in_two_processes(as_they_come, tmp_path)


def test_they_travel_during_the_last_pass_in_messages_of_a_few_weights(
    another_process, monkeypatch
) -> None:
    sizes: list[int] = []
    another_process(lambda message: sizes.append(message.numel()))
    monkeypatch.setattr(averaging, "MESSAGE", 2 * 4 * 4 * 4)
    network = layers()
    begun = Averaging(network.parameters(), passes=2)
    compute(network, torch.ones(1, 4))
    assert sizes == []
    compute(network, torch.ones(1, 4))
    assert sizes == [32]  # the last two layers'
    gradient = network[4].weight.grad.clone()
    begun.send([torch.zeros(3)])
    assert sizes == [32, 35]
    begun.receive()
    assert torch.equal(network[4].weight.grad, 2 * gradient)
    still_there = weakref.ref(begun)
    del begun
    assert still_there() is None, "weights listen for it"


def test_without_a_number_of_passes_they_travel_together_when_told_to(another_process) -> None:
    sizes: list[int] = []
    another_process(lambda message: sizes.append(message.numel()))
    network = layers()
    begun = Averaging(network.parameters(), passes=None)
    compute(network, torch.ones(1, 4))
    assert sizes == []
    begun.send([torch.zeros(3)])
    assert sizes == [4 * 16 + 3]


def test_a_weight_that_no_pass_needs_keeps_back_none_for_ever(another_process, monkeypatch) -> None:
    another_process()
    monkeypatch.setattr(averaging, "MESSAGE", 1)  # byte: a message for each
    network, unused = layers(), nn.Parameter(torch.ones(3))
    begun = Averaging([*network.parameters(), unused], passes=1)
    compute(network, torch.ones(1, 4))
    gradients = [network[number].weight.grad.clone() for number in (0, 4)]
    begun.send([])
    begun.receive()
    for number, gradient in zip((0, 4), gradients, strict=True):
        assert torch.equal(network[number].weight.grad, 2 * gradient)
    assert unused.grad is None


def descended(rate: float) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """The weights after three steps of plain gradient descent, and what the steps logged."""
    torch.manual_seed(0)
    networks = Enlarge(), Critic()
    descent = {"optimizer": partial(torch.optim.SGD, lr=rate), "schedule": constant}
    training = stage(*networks, dict(descent), **descent)
    rows: list[dict[str, Tensor]] = []
    step = training.training_step
    training.training_step = lambda *args: rows.append(step(*args)) or rows[-1]
    fit(training, batches(3))
    return [w.detach() for network in networks for w in network.parameters()], rows


def test_a_step_waits_for_the_gradients_of_both_networks(another_process) -> None:
    """Gradients twice as large are a rate twice as large, in every bit; figures are means, too."""
    expected, alone = descended(0.25)
    another_process()
    found, rows = descended(0.125)
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)
    for name in ("adversarial", "pixel", "discriminator_real", "logit_gap", "gradient_norm"):
        assert torch.equal(rows[0][name], 2 * alone[0][name]), name


def test_the_discriminators_gradient_travels_while_the_generators_is_computed(
    another_process,
) -> None:
    generator, critic = Enlarge(), Critic()
    has_gradient: list[tuple[bool, bool]] = []

    def look(_message: Tensor) -> None:
        weights = generator.conv.weight, critic[0].weight
        has_gradient.append((weights[0].grad is not None, weights[1].grad is not None))

    another_process(look)
    fit(stage(generator, critic), batches(1))
    assert has_gradient == [(False, True), (True, True)]
