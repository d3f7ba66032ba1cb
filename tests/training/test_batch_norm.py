"""BatchNorm over two processes, against PyTorch's own over the whole batch in one."""

import pytest
import torch
from torch import nn
from two_processes import COUNT, in_two_processes, share

from esrgan.training.batch_norm import _Normalise, synchronise_batch_norm
from esrgan.training.ranks import average


def batch_norm(device: str = "cpu") -> None:
    generator = torch.Generator().manual_seed(0)
    shape = (4, 3, 5, 5)
    images = (torch.randn(shape, dtype=torch.double, generator=generator) * 3 + 50).to(device)
    target = torch.randn(shape, dtype=torch.double, generator=generator).to(device)
    torch.manual_seed(0)
    one, two = (nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).double() for _ in range(2))
    nn.init.normal_(one[1].weight, generator=generator)
    two.load_state_dict(one.state_dict())
    synchronise_batch_norm(two)
    one, two = one.to(device), two.to(device)

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


def pytorchs_is_ours() -> None:
    """What a GPU gets is PyTorch's form; ours, which runs there too, computes the same."""
    batch_norm("cuda")
    layer = nn.BatchNorm2d(3).cuda()
    synchronise_batch_norm(layer)
    assert isinstance(layer, nn.SyncBatchNorm)
    images = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0)).cuda()
    mine = share(images).requires_grad_()
    theirs = layer(mine)
    ours, _, _ = _Normalise.apply(mine, layer.weight, layer.bias, layer.eps)
    torch.testing.assert_close(theirs, ours)
    inputs = [mine, layer.weight, layer.bias]
    losses = [output.square().sin().sum() for output in (theirs, ours)]
    gradients = [torch.autograd.grad(loss, inputs) for loss in losses]
    # sums of float32 in another order
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_two_processes_normalise_as_one_does(tmp_path) -> None:
    in_two_processes(batch_norm, tmp_path)


@pytest.mark.gpu
def test_on_a_gpu_pytorchs_form_normalises_as_ours(tmp_path) -> None:
    in_two_processes(pytorchs_is_ours, tmp_path)


def test_synchronised_batch_norm_of_one_process_is_batch_norm() -> None:
    plain, ours = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    synchronise_batch_norm(ours)
    images = torch.randn(2, 3, 4, 4)
    assert torch.equal(plain(images), ours(images))
    assert plain.state_dict().keys() == ours.state_dict().keys()
