"""Muon against what its description says: singular values, and PyTorch's Adam for the rest."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

pytest.importorskip("pytorch_optimizer")
from esrgan.training.muon import Muon  # its package may be missing

RATE = 0.01


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.Conv2d(16, 8, 3), nn.ConvTranspose2d(8, 8, 3), nn.Conv2d(8, 3, 3)
    )


def gradients(network: nn.Module, number: int) -> None:
    torch.manual_seed(number)
    network.zero_grad()
    functional.mse_loss(network(torch.rand(2, 3, 12, 12)), torch.rand(2, 3, 8, 8)).backward()


def matrix(weight: Tensor) -> Tensor:
    return weight.detach().flatten(1).double()


def test_the_first_update_of_a_hidden_weight_is_its_gradient_with_like_singular_values(network):
    """Within what five steps of its iteration leave: 0.7 to 1.2 in place of 1."""
    weight = network[1].weight
    gradients(network, 1)
    u, _, v = torch.linalg.svd(matrix(weight.grad), full_matrices=False)
    before = matrix(weight)
    Muon(network.parameters(), RATE).step()
    update = (before - matrix(weight)) / (RATE * 0.2 * (16 * 9) ** 0.5)
    turned = u.T @ update @ v.T
    values = turned.diagonal()
    assert values.min() > 0.6
    assert values.max() < 1.25
    assert (turned - values.diag()).abs().max() < 1e-4


def test_it_keeps_momentum(network):
    """After a gradient, its opposite and none, against numbers worked by hand."""
    weight = network[1].weight
    optimizer = Muon(network.parameters(), RATE, momentum=0.5)
    gradients(network, 1)
    first = [p.grad.clone() for p in network.parameters()]
    before = matrix(weight)
    optimizer.step()
    once = matrix(weight)
    for parameter, gradient in zip(network.parameters(), first, strict=True):
        parameter.grad = -gradient
    # m1 = g / 2; m2 = m1 / 2 - g / 2 = -g / 4; Nesterov's: -g / 2 + m2 / 2 = -5 g / 8
    optimizer.step()
    twice = matrix(weight)
    assert alike(twice - once, before - once)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    # m3 = m2 / 2; Nesterov's: m3 / 2 = -g / 16, as long a step as the others
    optimizer.step()
    assert alike(matrix(weight) - twice, before - once)


def alike(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-3 * RATE)


def test_the_first_and_the_last_layer_and_the_biases_are_adams(network):
    names = [name for name, p in network.named_parameters() if p.ndim == 1]
    names += ["0.weight", "3.weight"]
    optimizer = Muon(network.parameters(), RATE, betas=(0.8, 0.9))
    parameters = dict(network.named_parameters())
    copies = {name: nn.Parameter(parameters[name].detach().clone()) for name in names}
    adam = torch.optim.Adam(copies.values(), RATE, betas=(0.8, 0.9))
    for number in range(4):
        gradients(network, number)
        for name in names:
            copies[name].grad = parameters[name].grad.clone()
        optimizer.step()
        adam.step()
    for name in names:
        assert torch.allclose(parameters[name], copies[name], atol=1e-6)


def test_weight_decay_is_decoupled(network):
    optimizer = Muon(network.parameters(), RATE, weight_decay=0.5)
    before = [p.detach().clone() for p in network.parameters()]
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for now, then in zip(network.parameters(), before, strict=True):
        assert torch.allclose(now, then * (1 - RATE * 0.5))


def test_a_network_without_hidden_weights_is_all_adams():
    network = nn.Linear(3, 4)
    optimizer = Muon(network.parameters(), RATE)
    network(torch.ones(1, 3)).sum().backward()
    before = network.weight.detach().clone()
    optimizer.step()
    assert torch.allclose(before - network.weight, torch.full((4, 3), RATE))
