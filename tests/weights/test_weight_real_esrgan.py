"""Every file that Real-ESRGAN has published, made here in its layout: names, shapes, wrappers."""

from itertools import pairwise

import numpy as np
import onnxruntime
import pytest
import torch
from spandrel import ModelLoader
from spandrel.architectures.Compact import Compact
from srvgg_weights import formula_weights, published_shapes

from esrgan.inference import upscale
from esrgan.networks import SRVGGNetCompact, UNetDiscriminator
from esrgan.weights import (
    WeightsError,
    load_discriminator,
    load_generator,
    save_onnx,
    save_release,
)

SMALL = {"num_features": 8, "num_convs": 3}


def rrdb_shapes(*, num_blocks: int, channels: int) -> dict[str, list[int]]:
    """RRDBNet's keys in BasicSR; with pixel-unshuffle it takes more than 3 channels."""
    convolutions = {"conv_first": (channels, 64)}
    for block in range(num_blocks):
        for dense in (1, 2, 3):
            for number in range(1, 6):
                outputs = 32 if number < 5 else 64
                name = f"body.{block}.rdb{dense}.conv{number}"
                convolutions[name] = (64 + 32 * (number - 1), outputs)
    convolutions |= dict.fromkeys(("conv_body", "conv_up1", "conv_up2", "conv_hr"), (64, 64))
    convolutions["conv_last"] = (64, 3)
    shapes = {}
    for name, (inputs, outputs) in convolutions.items():
        shapes |= {f"{name}.weight": [outputs, inputs, 3, 3], f"{name}.bias": [outputs]}
    return shapes


def unet_shapes() -> dict[str, list[int]]:
    """UNetDiscriminatorSN: torch's spectral norm adds u and v to each layer between the ends."""
    channels = [3, 64, 128, 256, 512, 256, 128, 64, 64, 64, 1]
    shapes = {}
    for number, (inputs, outputs) in enumerate(pairwise(channels)):
        side = 4 if number in (1, 2, 3) else 3
        shape = [outputs, inputs, side, side]
        if number in (0, 9):
            shapes |= {f"conv{number}.weight": shape, f"conv{number}.bias": [outputs]}
        else:
            sizes = {"orig": shape, "u": [outputs], "v": [inputs * side**2]}
            shapes |= {f"conv{number}.weight_{part}": size for part, size in sizes.items()}
    return shapes


def random_weights(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {key: 0.05 * torch.randn(shape, generator=generator) for key, shape in shapes.items()}


GENERAL = published_shapes(num_features=64, num_convs=32, scale=4)
VIDEO = published_shapes(num_features=64, num_convs=16, scale=4)
RELEASES = {  # file: wrappers, scale, shapes
    "RealESRGAN_x4plus": (["params_ema"], 4, rrdb_shapes(num_blocks=23, channels=3)),
    "RealESRNet_x4plus": (["params", "params_ema"], 4, rrdb_shapes(num_blocks=23, channels=3)),
    "RealESRGAN_x2plus": (["params_ema"], 2, rrdb_shapes(num_blocks=23, channels=12)),
    "RealESRGAN_x4plus_anime_6B": (["params_ema"], 4, rrdb_shapes(num_blocks=6, channels=3)),
    "realesr-general-x4v3": (["params"], 4, GENERAL),
    "realesr-general-wdn-x4v3": (["params"], 4, GENERAL),
    "realesr-animevideov3": (["params"], 4, VIDEO),
}
PARAMETERS = {  # with 23 blocks as the paper's network, +5,184 for 9 more channels of the input
    "RealESRGAN_x4plus": 16_697_987,
    "RealESRNet_x4plus": 16_697_987,
    "RealESRGAN_x2plus": 16_703_171,
    "RealESRGAN_x4plus_anime_6B": 4_467_779,
    "realesr-general-x4v3": 1_213_296,
    "realesr-general-wdn-x4v3": 1_213_296,
    "realesr-animevideov3": 621_424,
}


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_upscales_without_being_told_what_it_is(save, name):
    wrappers, scale, shapes = RELEASES[name]
    state = random_weights(shapes)
    network = load_generator(save(dict.fromkeys(wrappers, state), f"{name}.pth"))
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]
    assert all(torch.equal(tensor, state[key]) for key, tensor in network.state_dict().items())
    lq = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    assert upscale(network, lq).shape == (5 * scale, 6 * scale, 3)


@pytest.mark.parametrize("name", ["x4plus", "x2plus", "x4plus_anime_6B"])
def test_a_released_discriminator_is_recognised(save, name):
    state = random_weights(unet_shapes())
    network = load_discriminator(save({"params": state}, f"RealESRGAN_{name}_netD.pth"))
    assert isinstance(network, UNetDiscriminator)
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_376_897
    assert all(torch.equal(tensor, state[key]) for key, tensor in network.state_dict().items())


def small_network(**arguments):
    network = SRVGGNetCompact(**SMALL | arguments).eval()
    scale = network.scale
    weights = formula_weights(published_shapes(**SMALL, scale=scale))
    network.load_state_dict({key: weights[key] for key in network.state_dict()})
    return network


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_spandrel_opens_what_is_written(tmp_path, assert_same_output, suffix, scale):
    network = small_network(scale=scale)
    save_release(tmp_path / f"a{suffix}", network, metadata={})
    model = ModelLoader().load_from_file(tmp_path / f"a{suffix}")
    assert (model.architecture.id, model.scale, model.tags) == ("Compact", scale, ["8nf", "3nc"])
    assert_same_output(model.model, network)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("activation", "theirs"), [("prelu", "prelu"), ("relu", "relu"), ("leaky_relu", "leakyrelu")]
)
def test_spandrels_network_has_the_same_output(assert_same_output, scale, activation, theirs):
    network = small_network(scale=scale, activation=activation)
    other = Compact(num_feat=8, num_conv=3, upscale=scale, act_type=theirs)
    other.load_state_dict(network.state_dict())
    assert_same_output(network, other)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"scale": 1, "num_features": 5, "num_convs": 1},
        {"scale": 3, "num_convs": 11},
        {"scale": 2, "activation": "relu"},
    ],
)
def test_bare_weights_tell_the_architecture(save, assert_same_output, arguments):
    network = SRVGGNetCompact(**SMALL | arguments).eval()
    loaded = load_generator(save(network.state_dict()))
    assert loaded.architecture == network.architecture
    assert_same_output(loaded, network)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_release_tells_the_activation_that_shapes_cannot(tmp_path, assert_same_output, suffix):
    network = small_network(activation="leaky_relu")
    save_release(tmp_path / f"a{suffix}", network, metadata={}, dtype=torch.float16)
    loaded = load_generator(tmp_path / f"a{suffix}")
    assert loaded.architecture == network.architecture
    assert_same_output(loaded, network.half().float())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"body.8.bias": None}, "body.6 gives 8 channels; those of RGB are 3 times a square"),
        ({"body.8.weight": torch.zeros(15, 8, 3, 3)}, "body.8 gives 15 channels"),
        ({"body.8.weight": None}, "body.8.weight is missing"),
        ({"body.3.weight": None}, "looks like .*SRVGGNetCompact.*1 missing from the file: body.3"),
        ({"body.0.weight": torch.zeros(8)}, "body.0.weight must have 4 dimensions"),
        ({"body.0.weight": None}, r"neither RRDBNet .* nor SRVGGNetCompact \(body.0.weight\)"),
    ],
)
def test_weights_that_are_not_whole_are_explained(save, edit, message):
    state = small_network().state_dict() | edit
    path = save({key: tensor for key, tensor in state.items() if tensor is not None})
    with pytest.raises(WeightsError, match=f"(?s){message}"):
        load_generator(path)


def test_an_activation_of_nonsense_is_refused(save):
    network = small_network(activation="relu")
    architecture = network.architecture | {"activation": "gelu"}
    with pytest.raises(WeightsError, match=r"activation \(gelu\) must be one of prelu, relu"):
        load_generator(save({"params": network.state_dict(), "architecture": architecture}))


def test_it_is_written_as_onnx(tmp_path):
    network = small_network()
    assert save_onnx(tmp_path / "a.onnx", network, metadata={}) < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
    lq = torch.rand(1, 3, 6, 7)
    (sr,) = session.run(None, {"input": lq.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(sr, network(lq).numpy(), rtol=0, atol=1e-5)
