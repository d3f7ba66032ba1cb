"""Every generator that a config names, with every option: what spandrel makes of its file."""

from functools import cache

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from spandrel import ModelLoader
from weight_samples import lively

from esrgan.commands.configs import configs_folder
from esrgan.networks import RRDBNet
from esrgan.weights import load_generator, note_for_others, portable, save_release, unseen_by_others

CONFIGS = configs_folder() / "generator"
NOT_OURS = {"from_file", "spandrel", "dat_light", "realplksr", "span", "swinir_light"}
NAMES = sorted({path.stem for path in CONFIGS.glob("*.yaml")} - NOT_OURS)
SMALL = {"num_features": 8, "num_blocks": 2, "num_convs": 2}
READS = {"RRDBNet", "SRVGGNetCompact"}
# Values of every option, by the option; SMALL's are as good as any for spandrel
OPTIONS = {
    "scale": [1, 2, 3, 4, 8],
    "num_features": [8, 12],
    "num_blocks": [1, 2],
    "num_convs": [1, 2],
    "growth_channels": [32, 16, 48],
    "residual_scaling": [0.2, 1.0, 0.1],
    "batch_norm": [False, True],
    "batch_norm_hr": [False, True],
    "activation": ["prelu", "relu", "leaky_relu"],
    "unshuffle": [1, 2],
    "initialise": [],  # nothing of it is left in a file
}
SCALES = {"MSRResNet": [2, 3, 4], "SRVGGNetCompact": [1, 2, 3, 4]}
UNSHUFFLED = [
    {"scale": 1, "unshuffle": 1},
    {"scale": 2, "unshuffle": 1},
    {"scale": 2, "unshuffle": 4},
    {"scale": 1, "unshuffle": 8},
    {"scale": 1, "unshuffle": 3},
]
TOGETHER = {"batch_norm": True, "residual_scaling": 0.5, "growth_channels": 8, "scale": 2}


@cache
def composed(name):
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose(name)


def config(name):
    cfg = composed(name).copy()
    OmegaConf.set_struct(cfg, False)
    cfg.update({"scale": 4} | {key: value for key, value in SMALL.items() if key in cfg})
    return cfg


def cases():
    walked = set()
    for name in NAMES:
        cfg = config(name)
        network = cfg._target_.rpartition(".")[2]
        yield name, {}
        form = OmegaConf.to_yaml(cfg)
        if form in walked:  # it differs from another in what SMALL has made the same
            continue
        walked.add(form)
        for option in sorted(set(cfg) - {"_target_"}):
            values = SCALES.get(network, OPTIONS[option]) if option == "scale" else OPTIONS[option]
            yield from ((name, {option: value}) for value in values)
        if network == "RRDBNet" and name == "rrdb_23":
            yield from ((name, changes) for changes in [*UNSHUFFLED, TOGETHER])


def is_the_same_in_spandrel(path, network):
    lq = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    try:
        model = ModelLoader().load_from_file(path)
        with torch.no_grad():
            theirs, ours = model.model.eval()(lq), network(lq)
    except Exception:  # whatever it says, the file does not open
        return False
    largest = ours.abs().max()
    return theirs.shape == ours.shape and bool((theirs - ours).abs().max() < 2e-5 * largest)


@pytest.mark.parametrize(("name", "changes"), list(cases()), ids=str)
def test_what_spandrel_opens_is_the_same_or_it_is_said_that_it_is_not(tmp_path, name, changes):
    cfg = config(name)
    cfg.update(changes)
    network = lively(instantiate(cfg))
    save_release(tmp_path / "trained.pth", network, metadata={})
    save_release(tmp_path / "exported.pth", portable(network), metadata={})
    said = note_for_others(network, name="trained.pth")
    assert is_the_same_in_spandrel(tmp_path / "trained.pth", network) == (said is None)
    still = note_for_others(portable(network), name="exported.pth")
    assert is_the_same_in_spandrel(tmp_path / "exported.pth", network) == (still is None)
    for file in ("trained.pth", "exported.pth"):
        lq = torch.rand(1, 3, 24, 24)
        with torch.no_grad():
            ours = load_generator(tmp_path / file, scale=changes.get("scale"))(lq)
            expected = network(lq)
        torch.testing.assert_close(ours, expected, rtol=0, atol=2e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("growth", [8, 32])
@pytest.mark.parametrize("scaling", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_form_for_others_is_exact(growth, scaling, batch_norm):
    sizes = {"num_features": 8, "num_blocks": 2, "growth_channels": growth}
    network = lively(RRDBNet(**sizes, residual_scaling=scaling, batch_norm=batch_norm)).double()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    other = portable(network)
    lq = torch.rand(1, 3, 12, 16, dtype=torch.double)
    with torch.no_grad():
        expected = network(lq)
        difference = (other(lq) - expected).abs().max() / expected.abs().max()
    assert difference < 1e-12
    assert other.architecture == RRDBNet(**sizes | {"growth_channels": 32}).architecture
    assert (other is network) == (unseen_by_others(network) == [])
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


def test_what_is_said_names_the_settings():
    network = RRDBNet(num_features=8, num_blocks=1, batch_norm=True, residual_scaling=1.0)
    said = note_for_others(network, name="run.pth")
    assert "will not read run.pth" in said
    assert said.endswith("batch_norm, residual_scaling 1.0: esrgan export writes the file for them")
    assert "by 3 for one by 2" in note_for_others(RRDBNet(scale=3, num_blocks=1), name="run.pth")
