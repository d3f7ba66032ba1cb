import pytest
import torch
from weight_samples import lively

from esrgan.networks import RRDBNet, SRGANGenerator, SRResNet
from esrgan.weights import WeightsError, load_generator, save_release

RRDB_FORMS = [
    {"scale": 4, "num_features": 6, "num_blocks": 3, "growth_channels": 5},
    {"scale": 8, "num_features": 4, "num_blocks": 1, "growth_channels": 2, "batch_norm": True},
    {"scale": 2, "num_features": 4, "num_blocks": 1, "growth_channels": 2},
    {"scale": 1, "num_features": 4, "num_blocks": 1, "growth_channels": 2},
    {"scale": 2, "num_features": 4, "num_blocks": 1, "growth_channels": 2, "unshuffle": 1},
    {"scale": 1, "num_features": 4, "num_blocks": 1, "growth_channels": 2, "unshuffle": 1},
]
SRRESNET_FORMS = [
    {"scale": 4, "num_features": 4, "num_blocks": 12},
    {"scale": 3, "num_features": 5, "num_blocks": 1, "batch_norm": True},
    {"scale": 2, "num_features": 4, "num_blocks": 1, "batch_norm_hr": True},
    {"scale": 1, "num_features": 4, "num_blocks": 1},
    {"scale": 8, "num_features": 4, "num_blocks": 1, "batch_norm": True, "batch_norm_hr": True},
]
SRGAN_FORMS = [
    {"scale": 4, "num_features": 4, "num_blocks": 12},
    {"scale": 3, "num_features": 5, "num_blocks": 1},
    {"scale": 2, "num_features": 4, "num_blocks": 1},
    {"scale": 1, "num_features": 4, "num_blocks": 1},
    {"scale": 8, "num_features": 4, "num_blocks": 1},
]


@pytest.mark.parametrize(
    ("network_class", "arguments"),
    [(RRDBNet, form) for form in RRDB_FORMS]
    + [(SRResNet, form) for form in SRRESNET_FORMS]
    + [(SRGANGenerator, form) for form in SRGAN_FORMS],
)
def test_shapes_tell_the_architecture(save, assert_same_output, network_class, arguments):
    network = lively(network_class(**arguments))
    loaded = load_generator(save(network.state_dict()))
    assert loaded.architecture == network.architecture
    assert_same_output(loaded, network)


@pytest.mark.parametrize(
    "network",
    [
        lively(RRDBNet(num_features=4, num_blocks=1, growth_channels=2, residual_scaling=1.0)),
        lively(RRDBNet(num_features=4, num_blocks=1, growth_channels=2, scale=3)),
        lively(SRResNet(num_features=4, num_blocks=1, residual_scaling=0.2)),
    ],
)
def test_the_file_tells_what_shapes_cannot(save, assert_same_output, network):
    path = save({"params": network.state_dict(), "architecture": network.architecture})
    loaded = load_generator(path)
    assert loaded.architecture == network.architecture
    assert_same_output(loaded, network)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_release_of_srgans_generator_is_read_again(tmp_path, assert_same_output, suffix):
    network = SRGANGenerator(num_features=4, num_blocks=2)
    network(torch.rand(2, 3, 6, 6))  # statistics of BatchNorm that are not those of the beginning
    save_release(tmp_path / f"srgan{suffix}", network, metadata={})
    loaded = load_generator(tmp_path / f"srgan{suffix}")
    assert loaded.architecture == network.architecture
    assert_same_output(loaded, network.eval())


def test_shapes_are_believed_rather_than_the_file(rrdb, save):
    declared = {"network": "SRResNet", "scale": 2, "num_blocks": 10**9}
    loaded = load_generator(save({"params": rrdb.state_dict(), "architecture": declared}))
    assert loaded.architecture == rrdb.architecture


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"conv_first.weight": torch.zeros(4, 4, 3, 3)}, "conv_first takes 4 channels"),
        ({"conv_first.weight": torch.zeros(4, 1, 3, 3)}, "conv_first takes 1 channels"),
        ({"conv_first.weight": torch.zeros(4)}, "conv_first.weight must have 4 dimensions"),
        ({"conv_up3.weight": torch.zeros(4, 4, 3, 3)}, "1 missing from the file: conv_up3.bias"),
        ({"conv_first.weight": torch.zeros(4, 12, 3, 3), "conv_up1.weight": None}, "conv_up1"),
        ({"conv_last.weight": torch.zeros(1, 4, 3, 3)}, "file 1x4x3x3, network 3x4x3x3"),
        ({"conv_hr.weight": None}, "1 missing from the file: conv_hr.weight"),
        ({"body.0.rdb1.conv1x1.weight": torch.zeros(1)}, "1 not in the network: body.0.rdb1"),
        ({"conv_first.weight": None}, "conv_first.weight is missing"),
        ({"body.0.rdb1.conv1.weight": None}, "neither RRDBNet .* nor SRResNet .* nor SRGAN"),
    ],
)
def test_weights_that_fit_no_network_are_explained(rrdb, save, edit, message):
    state = rrdb.state_dict() | edit
    state = {key: tensor for key, tensor in state.items() if tensor is not None}
    with pytest.raises(WeightsError, match=message):
        load_generator(save(state))


def test_an_architecture_entry_of_nonsense_is_refused(rrdb, save):
    content = {"params": rrdb.state_dict(), "architecture": {"residual_scaling": "0.2"}}
    with pytest.raises(WeightsError, match=r"residual_scaling \('0.2'\) must be a number"):
        load_generator(save(content))
