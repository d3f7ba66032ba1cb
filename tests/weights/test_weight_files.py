import os
import pickle

import pytest
import torch
from damage import check_mutated_weights
from safetensors.torch import save_file

from esrgan.networks import RRDBNet
from esrgan.weights import (
    WeightsError,
    load_discriminator,
    load_generator,
    load_state_dict_file,
    read_metadata,
    save_release,
)


class Malicious:
    """Unpickled in earnest, it makes a file."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


def assert_same(state, expected):
    assert list(state) == list(expected)
    assert all(torch.equal(state[key], expected[key]) for key in expected)


WRAPPERS = ["params_ema", "params-ema", "params", "ema", "generator"]
CONTAINERS = ["state_dict", "model_state_dict", "model", "net"]


@pytest.mark.parametrize("wrapper", WRAPPERS + CONTAINERS)
def test_wrappers_are_taken_off(rrdb, save, wrapper):
    path = save({"epoch": 3, wrapper: rrdb.state_dict()})
    assert_same(load_state_dict_file(path), rrdb.state_dict())


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.ckpt"])
def test_a_bare_state_dict_is_read(rrdb, save, name):
    assert_same(load_state_dict_file(save(rrdb.state_dict(), name)), rrdb.state_dict())


@pytest.mark.parametrize(("preferred", "other"), [("params_ema", "params"), ("ema", "generator")])
def test_the_average_is_preferred(rrdb, srresnet, save, preferred, other):
    path = save({other: srresnet.state_dict(), preferred: rrdb.state_dict()})
    assert_same(load_state_dict_file(path), rrdb.state_dict())


def test_a_checkpoint_without_average_gives_the_generator(rrdb, save):
    path = save({"ema": None, "generator": rrdb.state_dict(), "iteration": 5}, "a.ckpt")
    assert_same(load_state_dict_file(path), rrdb.state_dict())


@pytest.mark.parametrize(
    "prefix", ["module.", "generator.", "generator_ema.", "module.net_g.", "netG.", "ema."]
)
def test_prefixes_are_taken_off_and_other_networks_left_out(rrdb, save, prefix):
    state = {"discriminator.conv.weight": torch.zeros(3)} if "generator" in prefix else {}
    state |= {f"{prefix}{key}": tensor for key, tensor in rrdb.state_dict().items()}
    assert_same(load_state_dict_file(save(state)), rrdb.state_dict())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(rrdb, save, tmp_path, dtype):
    state = {key: tensor.to(dtype) for key, tensor in rrdb.state_dict().items()}
    expected = {key: tensor.float() for key, tensor in state.items()}
    loaded = load_state_dict_file(save(state))
    assert {tensor.dtype for tensor in loaded.values()} == {torch.float32}
    assert_same(loaded, expected)
    save_file(state, tmp_path / "a.safetensors")
    loaded = load_state_dict_file(tmp_path / "a.safetensors")
    assert all(torch.equal(loaded[key], expected[key]) for key in expected)


def test_safetensors_are_read(rrdb, tmp_path):
    save_file(rrdb.state_dict(), tmp_path / "a.safetensors")
    loaded = load_state_dict_file(tmp_path / "a.safetensors")
    assert_same({key: loaded[key] for key in rrdb.state_dict()}, rrdb.state_dict())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(rrdb, save, value):
    rrdb.conv_hr.bias.data[1:3] = value
    with pytest.raises(WeightsError, match=r"2 of the 4 values of conv_hr\.bias"):
        load_state_dict_file(save(rrdb.state_dict()))


def test_half_precision_that_overflowed_is_refused(rrdb, save):
    rrdb.conv_hr.bias.data[0] = 1e6
    state = {key: tensor.half() for key, tensor in rrdb.state_dict().items()}
    with pytest.raises(WeightsError, match=r"conv_hr\.bias"):
        load_state_dict_file(save(state))


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt"])
@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_not_run(tmp_path, suffix, zipped):
    path, canary = tmp_path / f"bad{suffix}", tmp_path / "canary"
    content = {"params": {"conv_first.weight": torch.zeros(3)}, "extra": Malicious(canary)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    for read in (load_state_dict_file, load_generator, load_discriminator, read_metadata):
        with pytest.raises(WeightsError, match=r"bad.* asks for posix\.mkdir"):
            read(path)
    assert not canary.exists()
    torch.load(path, weights_only=False)  # the file is what it seems: this falls for it
    assert canary.exists()


def test_code_in_a_bare_pickle_is_not_run(tmp_path):
    canary = tmp_path / "canary"
    (tmp_path / "bad.pth").write_bytes(pickle.dumps(Malicious(canary), protocol=2))
    with pytest.raises(WeightsError, match=r"bad\.pth"):
        load_state_dict_file(tmp_path / "bad.pth")
    assert not canary.exists()


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04" + bytes(100)])
def test_a_file_of_something_else_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=rf"{name} is not a"):
        load_state_dict_file(tmp_path / name)


def test_a_truncated_file_is_named(rrdb, save):
    path = save(rrdb.state_dict())
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(WeightsError, match=r"weights\.pth is not a torch file, or is damaged"):
        load_state_dict_file(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list"),
        ({}, "it has nothing"),
        ({"model_weights": {"a": torch.zeros(1)}}, "it has model_weights"),
        ({"conv.weight": torch.zeros(1), "epoch": 3}, "it has epoch"),
        ({"params": {"conv": {"weight": torch.zeros(1)}}}, "it has conv"),
        ({"params": {"a": torch.zeros(1)}, "architecture": 3}, "architecture entry"),
    ],
)
def test_a_file_without_weights_by_name_is_refused(save, content, message):
    with pytest.raises(WeightsError, match=message):
        load_state_dict_file(save(content))


def test_a_path_that_is_no_weight_file_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.pth is not a file"):
        load_state_dict_file(tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="is not a file"):
        load_state_dict_file("https://example.org/weights.pth")
    (tmp_path / "weights.onnx").touch()
    with pytest.raises(WeightsError, match=r"must end in \.pth, \.pt, \.ckpt or \.safetensors"):
        load_state_dict_file(tmp_path / "weights.onnx")


def test_a_program_is_told_from_weights_without_a_warning(tmp_path, recwarn):
    path = tmp_path / "program.pt"
    torch.jit.trace(torch.nn.Conv2d(3, 3, 1), torch.ones(1, 3, 4, 4)).save(path)
    recwarn.clear()  # tracing has its own
    with pytest.raises(WeightsError, match=r"program\.pt is not .*TorchScript.*state dict"):
        load_state_dict_file(path)
    assert not recwarn


def test_what_a_file_does_not_tell_of_its_scale_can_be_told(save):
    """One step of RRDBNet: by 3 in the authors' code of 2018, by 2 elsewhere."""
    tiny = {"num_features": 4, "num_blocks": 1, "growth_channels": 2}
    path = save(RRDBNet(scale=3, **tiny).state_dict())
    assert load_generator(path).scale == 2
    for scale in (2, 3):
        assert load_generator(path, scale=scale).scale == scale
    with pytest.raises(WeightsError, match=r"is of scale 2, not 4: give that, or none"):
        load_generator(path, scale=4)


def test_a_damaged_file_is_read_or_refused_by_name(rrdb, tmp_path):
    save_release(tmp_path / "release.pth", rrdb, metadata={})
    outcomes = check_mutated_weights(tmp_path / "release.pth", tmp_path, 100)
    assert outcomes["load_generator refused"] > 50


def test_a_zip_with_a_broken_name_is_refused_and_not_a_crash(rrdb, save):
    path = save(rrdb.state_dict())
    content = path.read_bytes()
    at = content.rindex(b"data.pkl")  # in the directory at the end
    path.write_bytes(content[:at] + b"\xbf" + content[at + 1 :])
    with pytest.raises(WeightsError, match=r"weights\.pth"):
        load_generator(path)
