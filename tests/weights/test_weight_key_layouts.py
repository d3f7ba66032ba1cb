import json

import pytest
import torch
from safetensors import safe_open
from spandrel import ModelLoader
from weight_samples import as_in_2018, as_in_2019, as_today, lively

from esrgan.networks import MSRResNet, RRDBNet, SRGANGenerator, SRResNet
from esrgan.weights import KEY_LAYOUTS, WeightsError, load_generator, read_metadata, save_release

NAMES = {"basicsr": as_today, "esrgan": as_in_2019, "2018": as_in_2018}
SUFFIXES = [".pth", ".safetensors"]
FORMS = [(1, 4), (2, 2), (4, 1), (8, 1), (2, 1), (1, 1)]
ANIME = "weights/RealESRGAN_x4plus_anime_6B.pth"


def small(scale=4, unshuffle=1, **arguments):
    """Of the growth channels that spandrel expects."""
    sizes = {"num_features": 4, "num_blocks": 2} | arguments
    return lively(RRDBNet(scale=scale, unshuffle=unshuffle, **sizes))


def written_keys(path):
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            return set(file.keys())
    content = torch.load(path, weights_only=True)
    return set(content.get("params", content))


@pytest.mark.parametrize("layout", KEY_LAYOUTS)
@pytest.mark.parametrize(
    ("suffix", "scale", "unshuffle", "num_blocks"),
    [(".pth", 4, 1, 11), *((".safetensors", *form, 2) for form in FORMS)],
)
def test_the_layers_get_the_names_of_the_published_files(
    tmp_path, layout, suffix, scale, unshuffle, num_blocks
):
    network = small(scale, unshuffle, num_blocks=num_blocks, growth_channels=2)
    path = tmp_path / f"a{suffix}"
    save_release(path, network, metadata={}, layout=KEY_LAYOUTS[layout])
    numbers = {"scale": scale * unshuffle, "num_blocks": num_blocks}
    assert written_keys(path) == {NAMES[layout](key, **numbers) for key in network.state_dict()}
    loaded = load_generator(path)
    assert loaded.architecture == network.architecture
    for key, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor), key


@pytest.mark.parametrize("layout", ["esrgan", "2018"])
def test_under_older_names_weights_are_bare_as_programs_of_the_time_expect(tmp_path, layout):
    network = small(residual_scaling=0.5)
    metadata = {"recipe": json.dumps({"lr": 1e-4})}
    save_release(tmp_path / "a.pth", network, metadata=metadata, layout=KEY_LAYOUTS[layout])
    content = torch.load(tmp_path / "a.pth", weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in content.values())
    # and yet the file says all that it would say otherwise
    assert load_generator(tmp_path / "a.pth").architecture == network.architecture
    assert read_metadata(tmp_path / "a.pth") == {"scale": "4", **metadata}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("layout", KEY_LAYOUTS)
def test_spandrel_opens_every_layout(tmp_path, assert_same_output, suffix, layout):
    network = small()
    save_release(tmp_path / f"a{suffix}", network, metadata={}, layout=KEY_LAYOUTS[layout])
    model = ModelLoader().load_from_file(tmp_path / f"a{suffix}")
    assert (model.architecture.id, model.scale) == ("ESRGAN", 4)
    assert {"4nf", "2nb"} <= set(model.tags)
    assert_same_output(model.model, network)


@pytest.mark.parametrize(
    ("scale", "unshuffle", "layout"),
    [
        *((*form, "basicsr") for form in FORMS if form != (4, 1)),
        *((*form, "2018") for form in [(2, 2), (8, 1)]),
        (1, 4, "esrgan"),
    ],
)
def test_spandrel_opens_every_scale(tmp_path, assert_same_output, layout, scale, unshuffle):
    network = small(scale, unshuffle)
    path = tmp_path / "a.safetensors"
    save_release(path, network, metadata={}, layout=KEY_LAYOUTS[layout], dtype=torch.float16)
    model = ModelLoader().load_from_file(path)
    assert (model.architecture.id, model.scale) == ("ESRGAN", scale)
    assert ("unshuffle" in model.tags) == (unshuffle > 1)
    assert_same_output(model.model.float(), load_generator(path))


def test_spandrel_opens_what_the_released_weights_become(reference_data, tmp_path):
    network = load_generator(reference_data / ANIME)
    save_release(tmp_path / "a.pth", network, metadata={}, layout=KEY_LAYOUTS["2018"])
    model = ModelLoader().load_from_file(tmp_path / "a.pth")
    assert (model.architecture.id, model.scale, model.tags) == ("ESRGAN", 4, ["64nf", "6nb"])
    lq = torch.rand(1, 3, 9, 12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model.model(lq), network(lq), rtol=0, atol=1e-5)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_half_precision_is_the_nearest_and_half_the_size(tmp_path, suffix):
    network = small(num_features=16)
    full, half = tmp_path / f"full{suffix}", tmp_path / f"half{suffix}"
    save_release(full, network, metadata={})
    save_release(half, network, metadata={}, dtype=torch.float16)
    assert half.stat().st_size < 0.65 * full.stat().st_size  # names take the same
    loaded = load_generator(half).state_dict()
    for key, tensor in network.state_dict().items():
        assert torch.equal(loaded[key], tensor.half().float()), key


def test_batch_norms_counters_stay_numbers_of_their_kind_in_half_precision(tmp_path):
    network = SRResNet(num_features=4, num_blocks=1, batch_norm=True)
    network.norm_body.num_batches_tracked.fill_(100_000)  # more than float16 can hold
    save_release(tmp_path / "a.pth", network, metadata={}, dtype=torch.float16)
    assert load_generator(tmp_path / "a.pth").norm_body.num_batches_tracked == 100_000


def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path):
    network = small()
    network.conv_hr.bias.data[0] = 1e5
    with pytest.raises(
        WeightsError, match=r"conv_hr\.bias has values not finite in torch\.float16"
    ):
        save_release(tmp_path / "a.pth", network, metadata={}, dtype=torch.float16)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("layout", ["esrgan", "2018"])
@pytest.mark.parametrize(
    ("network", "message"),
    [
        (SRResNet(num_features=4, num_blocks=1), "only RRDBNet has had other names"),
        (MSRResNet(num_features=4, num_blocks=1), "only RRDBNet has had other names"),
        (SRGANGenerator(num_features=4, num_blocks=1), "only RRDBNet has had other names"),
        (RRDBNet(num_features=4, num_blocks=1, batch_norm=True), "have none for BatchNorm"),
    ],
)
def test_networks_without_older_names_are_refused(tmp_path, layout, network, message):
    with pytest.raises(ValueError, match=message):
        save_release(tmp_path / "a.pth", network, metadata={}, layout=KEY_LAYOUTS[layout])
    assert not list(tmp_path.iterdir())
