"""Two processes on one machine, over gloo."""

import os

import pytest
import torch
from torch import Tensor, multiprocessing, nn
from torch import distributed as dist

from esrgan.training.ranks import (
    Ranks,
    average,
    gather,
    rank,
    synchronise_batch_norm,
    world_size,
)

COUNT = 2


def in_two_processes(function, tmp_path) -> None:
    store = str(tmp_path / "store")
    multiprocessing.spawn(_join, args=(function, store), nprocs=COUNT)


def _join(number: int, function, store: str) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=number, world_size=COUNT)
    function()
    dist.destroy_process_group()


def share(tensor: Tensor) -> Tensor:
    """This process's part of a global batch."""
    return tensor.chunk(COUNT)[rank()]


def agreement() -> None:
    ranks = Ranks()
    assert (world_size(), ranks.largest(3 * rank())) == (2, 3)
    assert ranks.merged({str(rank()): rank()}) == {"0": 0, "1": 1}
    ranks.require_equal("alike", "nothing")
    with pytest.raises(ValueError, match=r"differ in their number \(0, 1\)"):
        ranks.require_equal(rank(), "their number")
    with (
        pytest.raises(
            ValueError, match="another process failed while trying" if rank() else "mine"
        ),
        ranks.together("trying"),
    ):
        if rank() == 0:
            raise ValueError("mine")
    tensors = [torch.tensor([[1.0, 2.0]]) * rank(), torch.tensor(4.0) * rank()]
    average(tensors)
    assert [tensor.tolist() for tensor in tensors] == [[[0.5, 1.0]], 2.0]


def gathered_gradient() -> None:
    """A function of the whole batch: each process's averaged gradient is that of one process."""
    batch = torch.randn(6, 1, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    weight = torch.tensor(0.7, dtype=torch.double, requires_grad=True)

    def loss(logits: Tensor) -> Tensor:
        return torch.sigmoid(logits - logits.mean()).log().mean()

    (expected,) = torch.autograd.grad(loss(weight * batch), weight)
    logits = gather(weight * share(batch))
    assert torch.equal(logits, weight * batch)
    (found,) = torch.autograd.grad(loss(logits), weight)
    average([found])
    assert torch.allclose(found, expected, rtol=1e-12)


def batch_norm() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, 3, 5, 5, dtype=torch.double, generator=generator) * 3 + 50
    target = torch.randn(4, 3, 5, 5, dtype=torch.double, generator=generator)
    one, two = (nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).double() for _ in range(2))
    nn.init.normal_(one[1].weight, generator=generator)
    two.load_state_dict(one.state_dict())
    synchronise_batch_norm(two)

    expected = one(images.requires_grad_())
    (expected - target).square().mean().backward()
    mine = share(images.detach()).requires_grad_()
    found = two(mine)
    (found - share(target)).square().mean().backward()

    gradients = [weight.grad for weight in two.parameters()]
    average(gradients)
    assert torch.allclose(found, share(expected), rtol=1e-10)
    assert torch.allclose(mine.grad / COUNT, share(images.grad), rtol=1e-8, atol=1e-14)
    for ours, theirs in zip(gradients, one.parameters(), strict=True):
        assert torch.allclose(ours, theirs.grad, rtol=1e-8, atol=1e-14)
    for name, buffer in one.named_buffers():
        assert torch.allclose(two.get_buffer(name), buffer, rtol=1e-12), name
    two.eval(), one.eval()
    assert torch.allclose(two(images), one(images), rtol=1e-10)


def everything() -> None:
    agreement()
    gathered_gradient()
    torch.manual_seed(0)
    batch_norm()


def test_two_processes_agree_and_compute_what_one_does(tmp_path) -> None:
    in_two_processes(everything, tmp_path)


def test_one_process_needs_no_group() -> None:
    ranks, batch = Ranks(), torch.ones(2, 1, requires_grad=True)
    assert (rank(), world_size()) == (0, 1)
    assert ranks.largest(5) == 5
    assert ranks.merged({"a": 1}) == {"a": 1}
    assert gather(batch) is batch
    with pytest.raises(KeyError), ranks.together("trying"):
        raise KeyError


def test_synchronised_batch_norm_of_one_process_is_batch_norm() -> None:
    plain, ours = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    synchronise_batch_norm(ours)
    images = torch.randn(2, 3, 4, 4)
    assert torch.equal(plain(images), ours(images))
    assert plain.state_dict().keys() == ours.state_dict().keys()
