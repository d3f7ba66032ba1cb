import pytest
import torch
from torch import nn

from esrgan.networks import RRDBNet


def make_tiny(**arguments) -> RRDBNet:
    torch.manual_seed(0)
    return RRDBNet(**{"num_features": 4, "num_blocks": 1, "growth_channels": 2} | arguments)


def expected_names(*, num_blocks: int, num_steps: int) -> list[str]:
    dense_layers = [
        f"body.{block}.rdb{dense}.conv{conv}"
        for block in range(num_blocks)
        for dense in (1, 2, 3)
        for conv in (1, 2, 3, 4, 5)
    ]
    steps = [f"conv_up{step + 1}" for step in range(num_steps)]
    layers = ["conv_first", *dense_layers, "conv_body", *steps, "conv_hr", "conv_last"]
    return [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]


@pytest.mark.parametrize(
    ("features", "blocks", "growth", "scale", "count"),
    [
        (64, 23, 32, 4, 16_697_987),
        (64, 23, 32, 2, 16_703_171),
        (64, 23, 32, 1, 16_723_907),
        (64, 6, 32, 4, 4_467_779),
        (32, 5, 16, 4, 938_755),
        (16, 2, 8, 4, 100_307),
    ],
)
def test_the_number_of_parameters_is_that_of_the_released_networks(
    features, blocks, growth, scale, count
):
    network = RRDBNet(
        scale=scale,
        num_features=features,
        num_blocks=blocks,
        growth_channels=growth,
        initialise=lambda network: None,
    )
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize(("scale", "num_steps"), [(1, 2), (2, 2), (3, 1), (4, 2), (8, 3)])
def test_layer_names_are_a_file_format(scale, num_steps):
    network = make_tiny(scale=scale, num_blocks=2)
    assert list(network.state_dict()) == expected_names(num_blocks=2, num_steps=num_steps)


def test_batch_norm_adds_names_and_changes_none():
    plain, normalised = make_tiny(), make_tiny(batch_norm=True)
    added = [key for key in normalised.state_dict() if key not in plain.state_dict()]
    assert set(plain.state_dict()) < set(normalised.state_dict())
    assert len(added) == 5 * (3 * 5 + 1)  # 5 tensors for each convolution before the enlargement
    assert all(".norm" in key or key.startswith("norm_body") for key in added)


def test_batch_norm_is_applied_everywhere():
    network = make_tiny(batch_norm=True)
    network(torch.rand(2, 3, 6, 6))
    layers = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert layers
    assert all(layer.num_batches_tracked == 1 for layer in layers)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_output_is_scale_times_the_input(scale):
    assert make_tiny(scale=scale)(torch.rand(2, 3, 8, 12)).shape == (2, 3, 8 * scale, 12 * scale)


@pytest.mark.parametrize("scale", [1, 2])
def test_scales_1_and_2_can_be_built_without_unshuffle(scale):
    network = make_tiny(scale=scale, unshuffle=1)
    assert network(torch.rand(1, 3, 5, 7)).shape == (1, 3, 5 * scale, 7 * scale)


def test_the_pixels_are_where_nearest_neighbour_puts_them():
    network = make_tiny(num_features=3, initialise=make_layers_pass_through)
    lq = torch.rand(1, 3, 4, 5)
    expected = (1 + 1.2) * lq.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    torch.testing.assert_close(network(lq), expected)


def make_layers_pass_through(network: nn.Module) -> None:
    """Convolutions copy, but for those of the dense blocks, which give zero.

    Then a dense block returns x, the block of three x + 0.2 x, and the long skip adds x.
    """
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            (nn.init.zeros_ if ".rdb" in name else nn.init.dirac_)(layer.weight)
            nn.init.zeros_(layer.bias)


def test_residual_scaling_multiplies_both_kinds_of_residual():
    block = make_tiny().body[0]
    x = torch.rand(1, 4, 6, 6)
    inside = x
    for dense in (block.rdb1, block.rdb2, block.rdb3):
        outputs = [inside]
        for conv in (dense.conv1, dense.conv2, dense.conv3, dense.conv4):
            outputs.append(nn.LeakyReLU(0.2)(conv(torch.cat(outputs, dim=1))))
        inside = inside + 0.2 * dense.conv5(torch.cat(outputs, dim=1))
    torch.testing.assert_close(block(x), x + 0.2 * inside)


def test_the_output_is_not_clamped():
    network = make_tiny()
    nn.init.constant_(network.conv_last.bias, 2.0)
    assert network(torch.rand(1, 3, 4, 4)).min() > 1


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_gradient_is_that_of_finite_differences(batch_norm):
    network = make_tiny(batch_norm=batch_norm).double()
    lq = torch.rand(1, 3, 3, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(network, lq)


def test_every_parameter_gets_a_gradient():
    network = make_tiny()
    network(torch.rand(1, 3, 6, 6)).abs().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 5}, r"scale \(5\) must be one of 1, 2, 3, 4, 8"),
        ({"scale": 8, "unshuffle": 2}, r"scale times unshuffle \(16\) must be one of"),
        ({"num_blocks": 0}, r"num_blocks \(0\) must be greater than 0"),
        ({"residual_scaling": -0.2}, r"residual_scaling \(-0.2\)"),
        ({"residual_scaling": float("nan")}, r"residual_scaling \(nan\)"),
    ],
)
def test_a_value_out_of_range_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_tiny(**arguments)


@pytest.mark.parametrize("size", [(6, 7), (7, 6)])
def test_an_input_that_cannot_be_unshuffled_is_refused(size):
    with pytest.raises(ValueError, match=r"must be multiples of 2 .* scale 2"):
        make_tiny(scale=2)(torch.rand(1, 3, *size))


def test_architecture_builds_the_same_network_again():
    network = make_tiny(scale=2, batch_norm=True, residual_scaling=0.5)
    arguments = dict(network.architecture)
    assert arguments.pop("network") == "RRDBNet"
    again = RRDBNet(**arguments)
    again.load_state_dict(network.state_dict())
    lq = torch.rand(1, 3, 6, 6)
    torch.testing.assert_close(again(lq), network(lq))


def test_memory_format_is_kept():
    network = make_tiny().to(memory_format=torch.channels_last)
    lq = torch.rand(2, 3, 6, 6).to(memory_format=torch.channels_last)
    assert network(lq).is_contiguous(memory_format=torch.channels_last)
