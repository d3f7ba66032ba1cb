import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from weight_samples import lively

from esrgan.networks import MSRResNet, RRDBNet, SRGANGenerator, SRResNet
from esrgan.weights import WeightsError, convertible, load_generator, save_onnx
from esrgan.weights import program as writer
from esrgan.weights.convertible import ByConvolution

TINY = {"num_features": 4, "num_blocks": 1}
ANIME = "weights/RealESRGAN_x4plus_anime_6B.pth"


def difference_at_sizes(path, network, multiple=1):
    """The largest, over three sizes that are not those of the export's own check."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    largest = 0.0
    for shape in ((1, 3, 1 * multiple, 3 * multiple), (3, 3, 7 * multiple, 4 * multiple)):
        lq = torch.rand(shape)
        (sr,) = session.run(None, {"input": lq.numpy()})
        with torch.no_grad():
            expected = network(lq).numpy()
        assert expected.std() > 1e-3  # or all would agree
        largest = max(largest, float(np.abs(sr - expected).max()))
    return largest


def test_a_program_runs_at_any_size_and_says_what_it_is(tmp_path, capfd, recwarn):
    network = lively(MSRResNet(scale=3, **TINY))
    path = tmp_path / "a.onnx"
    assert save_onnx(path, network, metadata={"recipe": "{}"}) < 1e-5
    assert difference_at_sizes(path, network) < 1e-5
    model = onnx.load(path)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(about.pop("architecture")) == network.architecture
    assert about == {"recipe": "{}", "scale": "3", "multiple_of": "1"}
    assert dimensions(model.graph.input[0]) == ["batch", 3, "height", "width"]
    assert dimensions(model.graph.output[0]) == ["batch", 3, "3*height", "3*width"]
    assert list(tmp_path.iterdir()) == [path]
    assert __file__.rpartition("/tests/")[0].encode() not in path.read_bytes()
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def dimensions(value):
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("pads", [True, False])
def test_an_unshuffle_by_convolution_is_exact(scale, pads):
    network = lively(RRDBNet(scale=scale, growth_channels=4, residual_scaling=0.5, **TINY))
    step = network.unshuffle
    replaced = ByConvolution(network, pads=pads)
    for height, width in ((8, 12), (4, 4), *(((17, 23), (6, 7)) if pads else ())):
        lq = torch.rand(2, 3, height, width)
        missing = ((0, 0), (0, 0), (0, -height % step), (0, -width % step))
        expected = network(torch.from_numpy(np.pad(lq.numpy(), missing, "reflect")))
        expected = expected[..., : height * scale, : width * scale]
        torch.testing.assert_close(replaced(lq), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1, 2])
def test_a_program_with_pixel_unshuffle_mirrors_and_crops_by_itself(tmp_path, scale):
    network = lively(RRDBNet(scale=scale, growth_channels=4, residual_scaling=0.5, **TINY))
    assert save_onnx(tmp_path / "a.onnx", network, metadata={}) < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
    step = network.unshuffle
    for height, width in ((4, 5), (17, 23), (8, 12), (6, 7), (13, 4)):
        lq = np.random.default_rng(0).random((2, 3, height, width), np.float32)
        missing = ((0, 0), (0, 0), (0, -height % step), (0, -width % step))
        with torch.no_grad():
            expected = network(torch.from_numpy(np.pad(lq, missing, "reflect"))).numpy()
        (sr,) = session.run(None, {"input": lq})
        assert sr.shape == (2, 3, height * scale, width * scale)
        expected = expected[..., : height * scale, : width * scale]
        np.testing.assert_allclose(sr, expected, atol=1e-5)
    model = onnx.load(tmp_path / "a.onnx")
    assert dimensions(model.graph.input[0]) == ["batch", 3, "height", "width"]
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert (about["scale"], about["multiple_of"]) == (str(scale), "1")


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "unshuffle"), [(1, 4), (2, 2)])
def test_without_padding_no_size_in_a_program_varies(tmp_path, scale, unshuffle):
    network = lively(RRDBNet(scale=scale, growth_channels=4, residual_scaling=0.5, **TINY))
    assert save_onnx(tmp_path / "a.onnx", network, metadata={}, padding=False) < 1e-5
    assert difference_at_sizes(tmp_path / "a.onnx", network, unshuffle) < 1e-5
    model = onnx.load(tmp_path / "a.onnx")
    kinds = {node.op_type for node in model.graph.node}
    assert kinds <= {"Add", "Concat", "Conv", "LeakyRelu", "Mul", "Resize"}
    sides = ["batch", 3, f"{unshuffle}*height", f"{unshuffle}*width"]
    assert dimensions(model.graph.input[0]) == sides
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert (about["scale"], about["multiple_of"]) == (str(scale), str(unshuffle))


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        RRDBNet(scale=3, growth_channels=4, batch_norm=True, **TINY),
        RRDBNet(scale=8, growth_channels=4, **TINY),
        SRResNet(scale=4, batch_norm=True, batch_norm_hr=True, **TINY),
        SRResNet(scale=3, **TINY),
        SRGANGenerator(scale=4, **TINY),
    ],
)
def test_every_network_runs_at_any_size(tmp_path, network):
    lively(network)
    assert save_onnx(tmp_path / "a.onnx", network, metadata={}) < 1e-5
    assert difference_at_sizes(tmp_path / "a.onnx", network) < 1e-5


@pytest.mark.slow
def test_one_shape_is_written_where_one_is_asked_for(tmp_path):
    network = lively(RRDBNet(scale=2, growth_channels=4, **TINY))
    path = tmp_path / "a.onnx"
    assert save_onnx(path, network, metadata={}, shape=(1, 9, 14)) < 1e-5
    model = onnx.load(path)
    assert dimensions(model.graph.input[0]) == [1, 3, 9, 14]
    assert dimensions(model.graph.output[0]) == [1, 3, 18, 28]


@pytest.mark.parametrize(
    ("shape", "padding", "rule"),
    [((1, 1, 8), True, "at least 2"), ((1, 9, 14), False, "multiples of 2")],
)
def test_a_shape_that_does_not_fit_is_refused(tmp_path, shape, padding, rule):
    network = RRDBNet(scale=2, growth_channels=4, **TINY)
    with pytest.raises(ValueError, match=f"this network of scale 2 takes {rule}"):
        save_onnx(tmp_path / "a.onnx", network, metadata={}, shape=shape, padding=padding)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "scale",
    [
        pytest.param(2, marks=pytest.mark.slow),
        *(pytest.param(scale, marks=pytest.mark.soak) for scale in (1, 4)),
    ],
)
def test_what_float16_cannot_hold_stays_in_float32(tmp_path, scale):
    network = lively(RRDBNet(scale=scale, growth_channels=4, **TINY))
    assert save_onnx(tmp_path / "a.onnx", network, metadata={}, half=True) < 1e-2
    with torch.no_grad():  # the same output, by way of numbers of 1e6
        network.conv_hr.weight *= 1e6
        network.conv_hr.bias *= 1e6
        network.conv_last.weight *= 1e-6
    assert save_onnx(tmp_path / "b.onnx", network, metadata={}, half=True) < 1e-2
    whole = onnx.TensorProto.FLOAT
    kinds = []
    for name in ("a.onnx", "b.onnx"):
        graph = onnx.load(tmp_path / name).graph
        ends = [graph.input[0], graph.output[0]]
        assert [end.type.tensor_type.elem_type for end in ends] == [whole, whole]
        kinds.append([i.data_type for i in graph.initializer if len(i.dims) == 4].count(whole))
    assert kinds == [0, 2]  # of the two layers
    session = onnxruntime.InferenceSession(tmp_path / "b.onnx", providers=["CPUExecutionProvider"])
    for height, width in ((4, 5), (17, 23), (8, 12), (6, 7), (13, 4)):
        lq = np.random.default_rng(0).random((2, 3, height, width), np.float32)
        step = network.unshuffle
        missing = ((0, 0), (0, 0), (0, -height % step), (0, -width % step))
        with torch.no_grad():
            expected = network(torch.from_numpy(np.pad(lq, missing, "reflect"))).numpy()
        expected = expected[..., : height * scale, : width * scale]
        (sr,) = session.run(["output"], {"input": lq})
        np.testing.assert_allclose(sr, expected, atol=1e-2)


@pytest.mark.slow
def test_the_released_weights_run_with_onnxruntime(reference_data, tmp_path):
    network = load_generator(reference_data / ANIME)
    assert save_onnx(tmp_path / "a.onnx", network, metadata={}) < 1e-4
    assert difference_at_sizes(tmp_path / "a.onnx", network) < 1e-4


@pytest.fixture
def constant_program(monkeypatch):
    """In place of the exporter, which takes seconds: a program whose output is always `value`."""

    def replace(value):
        side = ["batch", 3, "height", "width"]
        lq = onnx.helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, side)
        sr = onnx.helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, side)
        constant = onnx.helper.make_tensor("c", onnx.TensorProto.FLOAT, [1], [value])
        node = onnx.helper.make_node("Add", ["zero", "c"], ["output"])
        zero = onnx.helper.make_node("Sub", ["input", "input"], ["zero"])
        graph = onnx.helper.make_graph([zero, node], "g", [lq], [sr], [constant])
        opset = [onnx.helper.make_opsetid("", 18)]
        model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
        monkeypatch.setattr(writer, "_export", lambda _network, **_: model)

    return replace


def constant_network(value):
    """It takes sizes that are multiples of 4 and gives the same."""
    network = RRDBNet(scale=1, growth_channels=2, **TINY)
    torch.nn.init.constant_(network.conv_last.bias, value)
    torch.nn.init.zeros_(network.conv_last.weight)
    return network


@pytest.mark.parametrize("value", [0.5 + 2e-4, 0.5 - 2e-4, float("nan"), float("inf")])
def test_a_program_that_differs_is_not_kept(tmp_path, constant_program, value):
    constant_program(value)
    (tmp_path / "a.onnx").write_text("mine")
    with pytest.raises(WeightsError, match=r"a\.onnx is not written: its output would differ"):
        save_onnx(tmp_path / "a.onnx", constant_network(0.5), metadata={}, overwrite=True)
    assert (tmp_path / "a.onnx").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.onnx"]


def test_a_program_that_differs_at_one_size_only_is_not_kept(tmp_path, constant_program):
    constant_program(0.5)
    network = constant_network(0.5)
    network.forward = lambda lq: torch.full_like(lq, 0.5 + 1e-3 * (len(lq) > 1))
    with pytest.raises(WeightsError, match=r"differ from PyTorch's by 1\.0e-03"):
        save_onnx(tmp_path / "a.onnx", network, metadata={})


def test_a_difference_that_no_image_shows_is_told(tmp_path, constant_program):
    constant_program(0.5 + 5e-5)
    difference = save_onnx(tmp_path / "a.onnx", constant_network(0.5), metadata={})
    assert difference == pytest.approx(5e-5, rel=1e-2)
    about = {entry.key: entry.value for entry in onnx.load(tmp_path / "a.onnx").metadata_props}
    assert about["multiple_of"] == "1"


def test_the_network_stays_as_it_is(tmp_path, constant_program):
    constant_program(0.5)
    network = constant_network(0.5).double().train()
    save_onnx(tmp_path / "a.onnx", network, metadata={})
    assert network.training
    assert network.conv_last.bias.dtype == torch.float64


def test_a_path_that_cannot_be_written_is_refused_first(tmp_path):
    (tmp_path / "a.onnx").touch()
    for path, message in {"a.onnx": "exists", "a.pth": r"\.onnx", "no/a.onnx": "not exist"}.items():
        with pytest.raises(ValueError, match=message):
            save_onnx(tmp_path / path, constant_network(0.5), metadata={})


def test_missing_packages_are_named_with_the_way_to_get_them(tmp_path, monkeypatch):
    for name in ("onnx", "onnxscript"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(
        convertible, "find_spec", lambda name: None if name != "onnxruntime" else True
    )
    with pytest.raises(
        ValueError, match=r"onnx and onnxscript must .* pip install -e '\.\[onnx\]'"
    ):
        save_onnx(tmp_path / "a.onnx", constant_network(0.5), metadata={})
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_released_weights_run_in_float16_with_sums_in_float32(reference_data, tmp_path):
    """All in float16, they are up to 0.013 off on noise, by the processor."""
    network = load_generator(reference_data / ANIME)
    assert save_onnx(tmp_path / "a.onnx", network, metadata={}, half=True) < 1e-2
    assert difference_at_sizes(tmp_path / "a.onnx", network) < 1e-2
