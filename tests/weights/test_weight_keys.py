import pytest
import torch

from esrgan.networks import RRDBNet
from esrgan.weights import load_generator, load_state_dict_file

# The last three layers and the steps by scale, as the authors' nn.Sequential numbered them.
NUMBERS_2018 = {
    1: {"conv_hr": 2, "conv_last": 4},
    2: {"conv_up1": 3, "conv_hr": 5, "conv_last": 7},
    4: {"conv_up1": 3, "conv_up2": 6, "conv_hr": 8, "conv_last": 10},
    8: {"conv_up1": 3, "conv_up2": 6, "conv_up3": 9, "conv_hr": 11, "conv_last": 13},
}
NAMES_2019 = {
    "body": "RRDB_trunk",
    "conv_body": "trunk_conv",
    "conv_up1": "upconv1",
    "conv_up2": "upconv2",
    "conv_up3": "upconv3",
    "conv_hr": "HRconv",
}


def as_in_2018(key: str, *, scale: int, num_blocks: int) -> str:
    parts = key.split(".")
    if parts[0] == "body":
        _, block, dense, conv, part = parts
        return f"model.1.sub.{block}.{dense.upper()}.{conv}.0.{part}"
    if parts[0] == "conv_body":
        return f"model.1.sub.{num_blocks}.{parts[1]}"
    return f"model.{({'conv_first': 0} | NUMBERS_2018[scale])[parts[0]]}.{parts[1]}"


def as_in_2019(key: str) -> str:
    first, *rest = key.split(".")
    return ".".join([NAMES_2019.get(first, first), *rest]).replace("rdb", "RDB")


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_files_of_2018_open(save, assert_same_output, scale, prefix):
    network = RRDBNet(scale=scale, unshuffle=1, num_features=4, num_blocks=11, growth_channels=2)
    state = {
        prefix + as_in_2018(key, scale=scale, num_blocks=11): tensor
        for key, tensor in network.state_dict().items()
    }
    loaded = load_generator(save(state))
    assert loaded.scale == scale
    assert_same_output(loaded, network)


@pytest.mark.parametrize(("scale", "unshuffle"), [(1, 4), (2, 2), (2, 1), (4, 1), (8, 1)])
def test_files_of_2019_open(save, assert_same_output, scale, unshuffle):
    network = RRDBNet(
        scale=scale, unshuffle=unshuffle, num_features=4, num_blocks=2, growth_channels=2
    )
    state = {as_in_2019(key): tensor for key, tensor in network.state_dict().items()}
    loaded = load_generator(save(state))
    assert (loaded.scale, loaded.unshuffle) == (scale, unshuffle)
    assert_same_output(loaded, network)


def test_the_names_are_those_of_the_authors_files():
    assert as_in_2018("conv_body.bias", scale=4, num_blocks=23) == "model.1.sub.23.bias"
    assert as_in_2018("body.5.rdb2.conv3.weight", scale=4, num_blocks=23) == (
        "model.1.sub.5.RDB2.conv3.0.weight"
    )
    assert as_in_2019("body.5.rdb2.conv3.weight") == "RRDB_trunk.5.RDB2.conv3.weight"


def test_names_of_other_networks_stay(srresnet, save):
    state = srresnet.state_dict() | {"upconv1.weight": torch.zeros(1)}
    assert list(load_state_dict_file(save(state))) == list(state)
