"""One flipped bit in a release: it is refused by name, or changes no value."""

import random

import pytest
import torch
from safetensors import safe_open
from spandrel import ModelLoader
from weight_samples import lively

from esrgan.networks import RRDBNet
from esrgan.weights import (
    KEY_LAYOUTS,
    WeightsError,
    load_generator,
    read_metadata,
    read_weights_file,
    save_release,
)

KINDS = [(".pth", "basicsr"), (".pth", "2018"), (".safetensors", "basicsr")]
NETWORK = lively(RRDBNet(num_features=4, num_blocks=1, growth_channels=2, residual_scaling=0.5))
METADATA = {"recipe": '{"lr": 0.0002}', "run": "a"}


def write(path, layout="basicsr"):
    save_release(path, NETWORK, metadata=METADATA, layout=KEY_LAYOUTS[layout])
    return path


def content(path):
    network = load_generator(path)
    return network.architecture, network.state_dict()


def check_flips(path, count):
    """How many were refused, of `count`, whose places are spread over the file."""
    data, (architecture, state), about = path.read_bytes(), content(path), read_metadata(path)
    dice, refused = random.Random(0), 0
    for number in range(count):
        damaged = bytearray(data)
        damaged[(number * len(data) + dice.randrange(len(data))) // count] ^= 1 << dice.randrange(8)
        path.write_bytes(damaged)
        try:
            loaded, weights = content(path)
        except WeightsError as error:
            assert path.name in str(error)
            refused += 1
            continue
        assert loaded == architecture
        assert weights.keys() == state.keys()
        assert all(torch.equal(weights[key], tensor) for key, tensor in state.items())
        assert read_metadata(path).items() >= about.items()
    return refused


@pytest.mark.parametrize(("suffix", "layout"), KINDS)
def test_a_flipped_bit_is_noticed_or_changes_nothing(tmp_path, suffix, layout):
    assert check_flips(write(tmp_path / f"a{suffix}", layout), 40) > 10


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "layout"), KINDS)
def test_300_flipped_bits_are_noticed_or_change_nothing(tmp_path, suffix, layout):
    assert check_flips(write(tmp_path / f"a{suffix}", layout), 300) > 100


def test_a_value_that_its_checksum_does_not_cover_is_noticed_by_the_digest(tmp_path):
    saved = torch.load(write(tmp_path / "a.pth"), weights_only=True)
    saved["params"]["conv_hr.bias"][0] += 1
    torch.save(saved, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"a\.pth is damaged: .* esrgan_digest\. Copy it again"):
        load_generator(tmp_path / "a.pth")
    del saved["esrgan_digest"]
    torch.save(saved, tmp_path / "a.pth")
    assert load_generator(tmp_path / "a.pth").conv_hr.bias[0] == NETWORK.conv_hr.bias[0] + 1


def test_a_flipped_bit_of_a_file_of_others_is_noticed_by_its_checksum(tmp_path):
    path = tmp_path / "a.pth"
    torch.save(NETWORK.state_dict(), path)
    data, weight = bytearray(path.read_bytes()), NETWORK.conv_hr.weight.detach().numpy().tobytes()
    data[data.index(weight)] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"a\.pth is damaged \(.*/data/\d+ is not what was"):
        load_generator(path)


def test_a_file_without_a_digest_loads(tmp_path):
    """Of earlier versions, of others, and of PyTorch where it was told to write no checksums."""
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(NETWORK.state_dict(), tmp_path / "a.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(load_generator(tmp_path / "a.pth").conv_hr.bias, NETWORK.conv_hr.bias)


@pytest.mark.parametrize(("suffix", "layout"), KINDS)
def test_the_digest_is_no_part_of_what_a_file_says_of_itself(tmp_path, suffix, layout):
    path = write(tmp_path / f"a{suffix}", layout)
    assert read_metadata(path) == {**METADATA, "scale": "4"}
    assert "esrgan_digest" not in read_weights_file(path).metadata


@pytest.mark.parametrize(("suffix", "layout"), KINDS)
def test_others_open_a_file_with_a_digest(tmp_path, suffix, layout):
    network = lively(RRDBNet(num_features=4, num_blocks=1))
    save_release(tmp_path / f"a{suffix}", network, metadata={}, layout=KEY_LAYOUTS[layout])
    lq = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        theirs = ModelLoader().load_from_file(tmp_path / f"a{suffix}").model(lq)
        torch.testing.assert_close(theirs, network(lq), rtol=1e-5, atol=1e-5)
    if suffix == ".safetensors":
        with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
            assert len(file.metadata()["esrgan_digest"]) == 64
