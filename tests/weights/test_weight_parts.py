"""Every way that the field wraps weights, in every set of names, precision and kind of file."""

import itertools

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from weight_samples import as_in_2018, as_in_2019, as_today

from esrgan.networks import RRDBNet
from esrgan.weights import EMA, RAW, WeightsError, load_generator, load_state_dict_file

NAMES = {"today": as_today, "2019": as_in_2019, "2018": as_in_2018}
WRAPPERS = [
    (),
    ("params",),
    ("params_ema",),
    ("state_dict",),
    ("generator",),
    ("state_dict", "params"),
]
PREFIXES = ["", "module.", "generator.", "generator.module.", "net_g._orig_mod."]
ANIME = "weights/RealESRGAN_x4plus_anime_6B.pth"


def named(state, naming, *, num_blocks, prefix=""):
    return {
        prefix + naming(key, scale=4, num_blocks=num_blocks): tensor
        for key, tensor in state.items()
    }


def wrapped(state, wrapper):
    for key in reversed(wrapper):
        state = {"epoch": 3, key: state}
    return state


def equal(state, expected):
    return set(state) == set(expected) and all(torch.equal(state[k], expected[k]) for k in expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("naming", NAMES)
def test_any_wrapping_is_taken_off_without_being_told(save, tmp_path, naming, dtype):
    network = RRDBNet(num_features=2, num_blocks=1, growth_channels=2)
    low = {key: tensor.to(dtype) for key, tensor in network.state_dict().items()}
    expected = {key: tensor.float() for key, tensor in low.items()}
    for prefix in PREFIXES:
        state = named(low, NAMES[naming], num_blocks=1, prefix=prefix)
        save_file(state, tmp_path / "a.safetensors")
        assert equal(load_state_dict_file(tmp_path / "a.safetensors"), expected), prefix
        for wrapper in WRAPPERS:
            path = save(wrapped(state, wrapper))
            assert equal(load_state_dict_file(path), expected), (wrapper, prefix)


def test_the_released_weights_are_the_same_under_any_names(reference_data, save):
    expected = load_state_dict_file(reference_data / ANIME)
    for naming in NAMES.values():
        state = named(expected, naming, num_blocks=6, prefix="generator.module.")
        assert equal(load_state_dict_file(save({"state_dict": state})), expected)


def test_the_released_weights_in_half_precision_give_nearly_the_published_picture(
    reference_data, tmp_path
):
    released = load_state_dict_file(reference_data / ANIME)
    half = {key: tensor.half() for key, tensor in released.items()}
    save_file(named(half, as_in_2018, num_blocks=6, prefix="module."), tmp_path / "a.safetensors")
    bgr = cv2.imread(str(reference_data / "set5/LRbicx4/butterfly.png"))
    lq = torch.from_numpy(bgr[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        sr = load_generator(tmp_path / "a.safetensors")(lq)[0].clamp(0, 1).permute(1, 2, 0).numpy()
    expected = np.load(reference_data / "weights/anime_6B_butterfly_x4.npy")
    difference = np.abs(sr - expected).max()
    assert 0 < difference < 1e-2


def two_sets():
    """Average and raw weights, which can be told apart."""
    networks = [RRDBNet(num_features=4, num_blocks=n, growth_channels=2) for n in (1, 2)]
    return [network.state_dict() for network in networks]


@pytest.mark.parametrize("keys", [("params_ema", "params"), ("ema", "generator")])
@pytest.mark.parametrize("around", [(), ("state_dict",)])
def test_of_two_sets_under_keys_either_can_be_asked_for(save, keys, around):
    average, raw = two_sets()
    for first, second in itertools.permutations(zip(keys, (average, raw), strict=True)):
        path = save(wrapped(dict((first, second)), around))
        assert load_generator(path).architecture["num_blocks"] == 1
        assert load_generator(path, part=EMA).architecture["num_blocks"] == 1
        assert load_generator(path, part=RAW).architecture["num_blocks"] == 2


@pytest.mark.parametrize("prefix", ["{}.", "{}.module.", "module.{}.", "_orig_mod.module.{}."])
def test_of_two_sets_in_one_dictionary_either_can_be_asked_for(save, prefix):
    average, raw = two_sets()
    both = {f"{prefix.format('generator_ema')}{key}": tensor for key, tensor in average.items()}
    both |= {f"{prefix.format('generator')}{key}": tensor for key, tensor in raw.items()}
    path = save({"state_dict": both})
    assert load_generator(path).architecture["num_blocks"] == 1
    assert load_generator(path, part=EMA).architecture["num_blocks"] == 1
    assert load_generator(path, part=RAW).architecture["num_blocks"] == 2


def test_a_set_that_is_not_there_is_not_replaced_by_the_other(save):
    average, raw = two_sets()
    no_average = save({"ema": None, "generator": raw, "iteration": 5}, "psnr.ckpt")
    with pytest.raises(WeightsError, match=r"psnr\.ckpt holds no average \(EMA\) of the generator"):
        load_generator(no_average, part=EMA)
    only_average = save({"params_ema": average})
    with pytest.raises(WeightsError, match="holds no generator beside its average"):
        load_generator(only_average, part=RAW)
    for part in (EMA, RAW):
        for unmarked in (raw, {"state_dict": raw}, {f"module.{key}": t for key, t in raw.items()}):
            with pytest.raises(
                WeightsError, match=r"neither under .* nor in names that begin with"
            ):
                load_generator(save(unmarked), part=part)
