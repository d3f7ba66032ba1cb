"""Every generator and discriminator that a config names, in small: what no release may change."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from esrgan.commands.configs import configs_folder
from esrgan.weights import load_generator, save_release

CONFIGS = configs_folder()
SMALL = {"num_features": 8, "num_blocks": 2, "growth_channels": 4, "num_convs": 2}
VARIANTS = {
    "rrdb_23": [{}, {"batch_norm": True}, {"residual_scaling": 1.0}, {"scale": 2}, {"scale": 1}],
    "srresnet": [{}, {"batch_norm": True}, {"batch_norm": True, "batch_norm_hr": True}],
    "srvgg_16": [{}, {"scale": 2, "activation": "relu"}, {"scale": 1, "activation": "leaky_relu"}],
}
# Sum, mean of the absolute values and last element of the output for one seeded input, in double
# precision, as 0.1 computed them, or the version that had the network first.
GENERATORS = {
    "msrresnet": [3117.64311, 0.507428891, 0.599951177],
    "rrdb_23": [-0.0353932733, 1.46053084e-05, -3.76827251e-06],
    "rrdb_23 batch_norm=True": [-0.0353932735, 1.46053131e-05, -3.76827026e-06],
    "rrdb_23 residual_scaling=1.0": [-0.0356880726, 1.31188132e-05, -4.51592424e-06],
    "rrdb_23 scale=2": [0.0012383767, 2.74456826e-06, -4.39670404e-06],
    "rrdb_23 scale=1": [1.18280681e-05, 1.73532936e-06, 1.47028229e-07],
    "rrdb_23_basicsr": [184.303457, 0.0832229847, 0.092645843],
    "rrdb_light": [184.303457, 0.0832229847, 0.092645843],
    "rrdb_tiny": [184.303457, 0.0832229847, 0.092645843],
    "srresnet": [-0.0595254958, 1.30977449e-05, -8.46080296e-07],
    "srresnet batch_norm=True": [-0.0595254785, 1.30977418e-05, -8.46078831e-07],
    "srresnet batch_norm=True batch_norm_hr=True": [-0.0595245857, 1.30975454e-05, -8.4606614e-07],
    "srresnet_paper": [66.2831632, 0.0406246197, 0.024473845],
    "srvgg_16": [3051.17668, 0.500188732, 0.744098028],
    "srvgg_16 scale=2 activation=relu": [800.682621, 0.5224062, 0.667150493],
    "srvgg_16 scale=1 activation=leaky_relu": [190.441195, 0.498376504, 0.608917058],
    "srvgg_32": [3051.17668, 0.500188732, 0.744098028],
}
DISCRIMINATORS = {
    "srgan": [-0.0776859796, 0.0388429898, -0.0388299541],
    "unet": [-649728987.0, 1429592.81, -1041573.61],
    "unet_light": [-649728987.0, 1429592.81, -1041573.61],
    "vgg": [0.117474244, 0.0587371222, 0.0587505367],
    "vgg_2018": [0.248731459, 0.186044723, -0.0616789932],
    "vgg_light": [0.117474244, 0.0587371222, 0.0587505367],
    "vgg_spectral": [18014220.7, 9007110.37, 9420829.02],
}


def names(group: str) -> list[str]:
    return sorted(p.stem for p in (CONFIGS / group).glob("*.yaml") if p.stem not in SPECIAL)


# Which have no network of their own; and those of others: test_spandrel_network.py
SPECIAL = ("from_file", "none", "spandrel", "dat_light", "realplksr", "span", "swinir_light")


def build(group: str, name: str, **changes: object) -> nn.Module:
    with initialize_config_dir(str(CONFIGS / group), version_base="1.3"):
        cfg = compose(name)
    OmegaConf.set_struct(cfg, False)
    sizes = {"num_features": 4} if group == "discriminator" else SMALL
    cfg.update({key: value for key, value in sizes.items() if key in cfg} | changes)
    torch.manual_seed(0)
    network: nn.Module = instantiate(cfg)
    return network.double().eval()


def summary(network: nn.Module, side: int) -> list[float]:
    images = torch.rand(
        2, 3, side, side, dtype=torch.double, generator=torch.Generator().manual_seed(1)
    )
    with torch.no_grad():
        output = network(images)
    return [float(output.sum()), float(output.abs().mean()), float(output.flatten()[-1])]


def cases() -> list[tuple[str, dict[str, object]]]:
    return [(name, change) for name in names("generator") for change in VARIANTS.get(name, [{}])]


def label(name: str, changes: dict[str, object]) -> str:
    return " ".join([name, *(f"{key}={value}" for key, value in changes.items())])


@pytest.mark.parametrize(("name", "changes"), cases())
def test_a_seeded_generator_computes_what_it_did(name, changes) -> None:
    network = build("generator", name, **({"scale": 4} | changes))
    assert summary(network, 8) == pytest.approx(GENERATORS[label(name, changes)], rel=1e-6)


@pytest.mark.parametrize("name", names("discriminator"))
def test_a_seeded_discriminator_computes_what_it_did(name) -> None:
    network = build("discriminator", name, **INPUT.get(name, {"input_size": 32}))
    assert summary(network, 32) == pytest.approx(DISCRIMINATORS[name], rel=1e-6)


INPUT: dict[str, dict[str, object]] = {"unet": {}, "unet_light": {}}  # images of any size


@pytest.mark.parametrize(("name", "changes"), cases())
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_release_of_every_generator_loads_as_the_same_network(
    name, changes, suffix, tmp_path: Path
) -> None:
    network = build("generator", name, **({"scale": 4} | changes)).float()
    path = tmp_path / f"release{suffix}"
    save_release(path, network, metadata={})
    loaded = load_generator(path)
    assert loaded.architecture == network.architecture
    assert summary(loaded.double(), 8) == summary(network.double(), 8)
