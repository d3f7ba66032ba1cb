"""Two processes on one machine, over gloo."""

import pytest
import torch
from torch import Tensor
from two_processes import in_two_processes, share

from esrgan.training.ranks import Ranks, average, gather, rank, world_size


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


def both() -> None:
    agreement()
    gathered_gradient()


def test_two_processes_agree_and_gather(tmp_path) -> None:
    in_two_processes(both, tmp_path)


def test_one_process_needs_no_group() -> None:
    ranks, batch = Ranks(), torch.ones(2, 1, requires_grad=True)
    assert (rank(), world_size()) == (0, 1)
    assert ranks.largest(5) == 5
    assert ranks.merged({"a": 1}) == {"a": 1}
    assert gather(batch) is batch
    with pytest.raises(KeyError), ranks.together("trying"):
        raise KeyError
