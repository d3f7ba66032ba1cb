from collections import OrderedDict

import pytest
import torch
from torch import nn
from weight_samples import as_in_2018, as_in_2019, lively

from esrgan.networks import MSRResNet, RRDBNet
from esrgan.weights import WeightsError, load_generator, load_state_dict_file


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_files_of_2018_open(save, assert_same_output, scale):
    network = lively(
        RRDBNet(scale=scale, unshuffle=1, num_features=4, num_blocks=11, growth_channels=2)
    )
    state = {
        as_in_2018(key, scale=scale, num_blocks=11): tensor
        for key, tensor in network.state_dict().items()
    }
    loaded = load_generator(save(state))
    assert loaded.scale == scale
    assert_same_output(loaded, network)


@pytest.mark.parametrize(("scale", "unshuffle"), [(1, 4), (2, 2), (2, 1), (4, 1), (8, 1)])
def test_files_of_2019_open(save, assert_same_output, scale, unshuffle):
    network = lively(
        RRDBNet(scale=scale, unshuffle=unshuffle, num_features=4, num_blocks=2, growth_channels=2)
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


class Added(nn.Module):
    """What BasicSR of 2018 called ResNetBlock (name `res`) and ShortcutBlock (`sub`)."""

    def __init__(self, name, *layers):
        super().__init__()
        self.name = name
        self.add_module(name, nn.Sequential(*layers))

    def forward(self, x):
        return x + self.get_submodule(self.name)(x)


def sr_resnet_of_2018(*, batch_norm, scale, num_blocks=2):
    """The flattened nn.Sequential of BasicSR's factory of 2018: `sr_resnet`, norms after."""

    def conv(num_in=4, num_out=4):
        return nn.Conv2d(num_in, num_out, 3, padding=1)

    def conv_and_norm():
        return [conv(), nn.BatchNorm2d(4)] if batch_norm else [conv()]

    def enlarge(step):
        return [conv(4, 4 * step**2), nn.PixelShuffle(step), nn.ReLU()]

    blocks = [
        Added("res", *conv_and_norm(), nn.ReLU(), *conv_and_norm()) for _ in range(num_blocks)
    ]
    steps = {1: [], 2: enlarge(2), 3: enlarge(3), 4: [*enlarge(2), *enlarge(2)]}[scale]
    body = Added("sub", *blocks, *conv_and_norm())
    layers = [conv(3, 4), body, *steps, conv(), nn.ReLU(), conv(4, 3)]
    return lively(nn.Sequential(OrderedDict(model=nn.Sequential(*layers))))


@pytest.mark.parametrize(("scale", "num_blocks"), [(1, 1), (2, 2), (3, 2), (4, 11)])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_an_sr_resnet_of_2018_opens(save, assert_same_output, scale, num_blocks, batch_norm):
    network = sr_resnet_of_2018(batch_norm=batch_norm, scale=scale, num_blocks=num_blocks)
    loaded = load_generator(save(network.state_dict()))
    assert (loaded.architecture["network"], loaded.scale) == ("SRResNet", scale)
    assert loaded.architecture["num_blocks"] == num_blocks
    assert_same_output(loaded, network)


def test_other_networks_of_the_2018_factory_are_refused(save):
    state = sr_resnet_of_2018(batch_norm=False, scale=4).state_dict()
    upconv = {key: t for key, t in state.items() if not key.startswith(("model.2.", "model.5."))}
    upconv |= {f"model.{i}.weight": torch.zeros(4, 4, 3, 3) for i in (3, 6)}
    upconv |= {f"model.{i}.bias": torch.zeros(4) for i in (3, 6)}
    with pytest.raises(WeightsError, match="of another shape: conv_up1"):
        load_generator(save(upconv))
    # mode NAC begins a block with BatchNorm
    state |= {"model.1.sub.0.res.0.weight": torch.zeros(4)}
    with pytest.raises(WeightsError, match=r"but model\.0\.weight"):
        load_generator(save(state))


@pytest.mark.parametrize(("scale", "year"), [(2, 2019), (3, 2019), (4, 2019), (3, 2020)])
def test_msrresnet_opens_under_both_of_its_sets_of_names(save, assert_same_output, scale, year):
    network = lively(MSRResNet(scale=scale, num_features=4, num_blocks=2))
    state = network.state_dict()
    if year == 2019:
        state = {
            key.replace("body", "recon_trunk").replace("conv_hr", "HRconv"): tensor
            for key, tensor in state.items()
        }
    loaded = load_generator(save({"params": state}))
    assert loaded.architecture == network.architecture
    assert_same_output(loaded, network)
