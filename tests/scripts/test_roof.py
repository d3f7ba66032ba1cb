"""FLOPs against those counted by hand."""

from functools import partial

import pytest
import torch
from bench.roof import convolutions, flops_of, roofs


def test_a_convolution_has_two_operations_for_each_weight_and_pixel():
    form = partial(convolutions, torch.float32, (16, 8))
    passes = int(5e9) // (2 * 9 * 16 * 16 * 8 * 8 * 8)
    assert flops_of(form) == passes * 2 * 9 * 16 * 16 * 8 * 8 * 8


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_roof_is_measured_by_five_billion_of_them_at_least(dtype):
    for form in roofs(dtype):
        assert 4.5e9 < flops_of(form) < 1e10


def test_gradients_count_for_what_they_compute_wherever_they_are_asked_for():
    def step(iterations, after_iteration):
        images = torch.rand(1, 2, 4, 4, requires_grad=True)
        weight = torch.rand(3, 2, 1, 1, requires_grad=True)
        output = torch.nn.functional.conv2d(images, weight)  # 2 x 2 x 3 x 16 = 192
        torch.autograd.grad(output.sum(), images, retain_graph=True)  # as much again
        torch.autograd.backward([output.sum()])  # and twice as much

    assert flops_of(step) == 4 * 192
