import pytest
import torch
from torch import nn

from esrgan.networks import VGGDiscriminator, scaled_kaiming


def make_tiny(**arguments) -> VGGDiscriminator:
    torch.manual_seed(0)
    return VGGDiscriminator(**{"input_size": 24, "num_features": 2} | arguments)


def num_parameters(**arguments) -> int:
    with torch.device("meta"):
        network = VGGDiscriminator(**arguments)
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("input_size", "count", "count_2018"),
    [
        (96, 14_141_001, 14_143_881),
        (128, 14_499_401, 14_502_281),
        (192, 20_696_649, 20_700_553),
        (256, 21_055_049, None),
    ],
)
def test_the_number_of_parameters_is_that_of_the_authors_networks(input_size, count, count_2018):
    assert num_parameters(input_size=input_size) == count
    if count_2018 is not None:
        assert num_parameters(input_size=input_size, conv_bias=True) == count_2018


def test_spectral_norm_has_no_parameters_of_its_own():
    # 2 for each channel that BatchNorm would have, in 128's 9 layers with BatchNorm
    batch_norm = 2 * (64 + 2 * 128 + 2 * 256 + 4 * 512)
    count = num_parameters(input_size=128, conv_bias=True, batch_norm=False, spectral_norm=True)
    assert count == 14_502_281 - batch_norm


def test_layer_names_are_a_file_format():
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = ["conv0_0.weight", "conv0_0.bias", "conv0_1.weight"]
    expected += [f"bn0_1.{part}" for part in norm]
    for stage in (1, 2, 3, 4):
        for layer in (0, 1):
            expected += [f"conv{stage}_{layer}.weight"]
            expected += [f"bn{stage}_{layer}.{part}" for part in norm]
    expected += ["linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"]
    assert list(make_tiny(input_size=128).state_dict()) == expected


def test_spectral_norm_is_in_every_layer_and_in_the_place_of_batch_norm():
    names = list(make_tiny(batch_norm=False, spectral_norm=True).state_dict())
    layers = [f"conv{stage}_{layer}" for stage in (0, 1, 2) for layer in (0, 1)]
    expected = {"conv0_0.bias"} | {"linear1.bias", "linear2.bias"}
    for layer in (*layers, "linear1", "linear2"):
        expected |= {f"{layer}.weight_orig", f"{layer}.weight_u", f"{layer}.weight_v"}
    assert set(names) == expected


def test_conv_bias_gives_every_convolution_one():
    added = set(make_tiny(conv_bias=True).state_dict()) - set(make_tiny().state_dict())
    assert added == {f"conv{name}.bias" for name in ("0_1", "1_0", "1_1", "2_0", "2_1")}


@pytest.mark.parametrize(
    ("input_size", "sizes", "channels"),
    [
        (6, [6, 3], [1, 1]),
        (64, [64, 32, 32, 16, 16, 8, 8, 4], [1, 1, 2, 2, 4, 4, 8, 8]),
        (96, [96, 48, 48, 24, 24, 12, 12, 6, 6, 3], [1, 1, 2, 2, 4, 4, 8, 8, 8, 8]),
    ],
)
def test_the_map_is_halved_down_to_3_or_4_and_the_channels_double_up_to_8(
    input_size, sizes, channels
):
    network = make_tiny(input_size=input_size, num_features=1)
    maps = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, __, output: maps.append(output.shape[1:]))
    assert network(torch.rand(2, 3, input_size, input_size)).shape == (2, 1)
    assert maps == [(c, size, size) for c, size in zip(channels, sizes, strict=True)]
    assert network.linear1.in_features == channels[-1] * sizes[-1] ** 2


def plain_copy(network: VGGDiscriminator) -> nn.Sequential:
    """The discriminator for 24x24 written out, with the weights of another."""
    copy = nn.Sequential(
        *(nn.Conv2d(3, 2, 3, 1, 1, bias=True), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(2, 2, 4, 2, 1, bias=False), nn.BatchNorm2d(2), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(2, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(4, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(4, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(8, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.LeakyReLU(0.2)),
        nn.Flatten(),
        *(nn.Linear(8 * 3 * 3, 100), nn.LeakyReLU(0.2), nn.Linear(100, 1)),
    )
    names = list(copy.state_dict())
    weights = network.state_dict().values()
    copy.load_state_dict(dict(zip(names, weights, strict=True)))
    return copy


@pytest.mark.parametrize("training", [True, False])
def test_the_logits_are_those_of_the_network_written_out(training):
    network = make_tiny().train(training)
    plain = plain_copy(network).train(training)
    images = torch.rand(3, 3, 24, 24)
    torch.testing.assert_close(network(images), plain(images))
    torch.testing.assert_close(
        list(network.state_dict().values()), list(plain.state_dict().values())
    )


def test_the_first_weights_are_pytorchs_unless_others_are_asked_for():
    torch.manual_seed(0)
    weight = nn.Conv2d(3, 2, 3).weight
    assert torch.equal(make_tiny().conv0_0.weight, weight)


def test_spectral_norm_starts_from_the_weights_that_were_asked_for():
    def fill(network):
        scaled_kaiming(network, scale=1.0)
        nn.init.constant_(network.linear2.weight, 5.0)

    network = make_tiny(batch_norm=False, spectral_norm=True, initialise=fill)
    assert network.linear2.weight_orig.unique().tolist() == [5.0]
    assert not network.conv0_0.bias.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": 100}, r"input_size \(100\) must be 3 or 4 times .*: use 96 or 128"),
        ({"input_size": 4}, r"input_size \(4\) must be .*: use 6$"),
        ({"input_size": 10_000}, r"input_size \(10000\) must be .*: use 4096$"),
        ({"num_features": 0}, r"num_features \(0\) must be greater than 0"),
        ({"spectral_norm": True}, "batch_norm and spectral_norm are both true"),
    ],
)
def test_a_value_out_of_range_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_tiny(**arguments)


@pytest.mark.parametrize("size", [(24, 32), (32, 24), (48, 48)])
def test_images_of_another_size_are_refused(size):
    with pytest.raises(ValueError, match=r"input_size \(24\) .* \d+x\d+: patch_size must be equal"):
        make_tiny()(torch.rand(2, 3, *size))
