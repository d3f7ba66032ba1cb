import io
import zipfile

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from esrgan.weights import WeightsError, load_discriminator, load_generator, load_state_dict_file


def onnx_program() -> bytes:
    side = onnx.helper.make_tensor_value_info("lq", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["lq"], ["sr"])
    sr = onnx.helper.make_tensor_value_info("sr", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([node], "g", [side], [sr])
    return onnx.helper.make_model(graph, producer_name="pytorch").SerializeToString()


def torchscript() -> bytes:
    stream = io.BytesIO()
    torch.jit.save(torch.jit.trace(nn.Conv2d(3, 3, 3), torch.zeros(1, 3, 8, 8)), stream)
    return stream.getvalue()


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.zeros(3))
    return stream.getvalue()


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("RealESRGAN_x4plus.pth", b"...")
    return stream.getvalue()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".ckpt", ".onnx", ""])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html>\n<title>Not found</title>", "a web page.*download it again"),
        (b"\n  <html lang=en>", "a web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "XML.*download it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS.*git lfs pull"),
        (b"7767517\n75 83\n", "ncnn"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (onnx_program(), "a program .ONNX"),
        (npz(), "NumPy"),
        (zipped(), "an archive: unpack it"),
    ],
)
def test_a_foreign_file_is_named_for_what_it_is(tmp_path, content, said, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"(?s)is not a file of weights, but .*{said}"):
        load_state_dict_file(path)


def test_torchscript_is_named_without_a_warning(tmp_path, recwarn):
    content = torchscript()
    recwarn.clear()
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"a program of PyTorch \(TorchScript\): save"):
        load_state_dict_file(tmp_path / "a.pt")
    assert not recwarn.list


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.ckpt"])
def test_safetensors_under_another_name_are_read(rrdb, tmp_path, name):
    save_file(rrdb.state_dict(), tmp_path / name)
    loaded = load_state_dict_file(tmp_path / name)
    assert all(torch.equal(loaded[key], tensor) for key, tensor in rrdb.state_dict().items())


def test_a_discriminator_is_not_looked_for_in_another_network(save):
    pytest.importorskip("spandrel")
    from spandrel.architectures.SAFMN import SAFMN

    path = save({"params": SAFMN(dim=8).state_dict()})
    with pytest.raises(WeightsError, match=r"it holds neither .*\(spandrel knows it as SAFMN\)"):
        load_discriminator(path)


def test_a_network_that_nobody_knows_has_no_name(save):
    path = save({"some.weight": torch.zeros(3)})
    with pytest.raises(WeightsError, match=r"it holds neither") as caught:
        load_generator(path)
    assert "spandrel" not in str(caught.value)
