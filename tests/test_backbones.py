"""Where the weights come from. Nothing here leaves the machine."""

import hashlib
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision.models import VGG19_Weights, alexnet, vgg16, vgg19, vgg19_bn

from esrgan.backbones import layer_names, random_features, trained_features

SHALLOW = ["conv1_2"]  # 38,720 parameters


def load(weights, *, network="vgg19", names=SHALLOW) -> nn.Sequential:
    return trained_features(network, names, weights=str(weights), option="a.setting=FILE")


def draw(*, names=SHALLOW, seed=0) -> nn.Sequential:
    return random_features("vgg19", names, seed=seed)


def assert_same(network, expected):
    pairs = zip(network.state_dict().items(), expected.state_dict().items(), strict=True)
    assert all(k == j and torch.equal(v, w) for (k, v), (j, w) in pairs)


@pytest.fixture
def published() -> nn.Sequential:
    """What the files of these tests hold."""
    return draw(seed=1)


@pytest.fixture
def content(published) -> dict[str, torch.Tensor]:
    """A state dict of torchvision's, or the first of it."""
    state = {f"features.{key}": tensor for key, tensor in published.state_dict().items()}
    return state | {"classifier.0.bias": torch.zeros(4096)}


def test_random_weights_follow_from_the_seed_alone():
    before = torch.get_rng_state()
    first = draw(seed=5)
    torch.rand(1)
    assert_same(draw(seed=5), first)
    assert not torch.equal(draw(seed=6)[0].weight, first[0].weight)
    torch.set_rng_state(before)
    draw(seed=5)
    assert torch.equal(torch.get_rng_state(), before)


def test_random_weights_keep_the_size_of_the_features():
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert 0.5 < draw(names=["conv3_4"])(x).std() < 3


@pytest.mark.parametrize(
    ("network", "build"), [("vgg16", vgg16), ("vgg19", vgg19), ("alexnet", alexnet)]
)
def test_the_layers_are_those_of_torchvision_in_their_order(network, build):
    with torch.device("meta"):
        expected = build().features
    names = layer_names(network)
    layers = random_features(network, names[-1:], seed=0)
    assert list(map(repr, layers)) == list(map(repr, expected))
    kinds = {"conv": nn.Conv2d, "relu": nn.ReLU, "pool": nn.MaxPool2d}
    assert all(
        isinstance(layer, kinds[name[:4]]) for name, layer in zip(names, layers, strict=True)
    )


@pytest.mark.parametrize(
    ("network", "position"),
    [  # in torchvision's features: of the layers that are compared, and of LPIPS's
        ("vgg16", {"conv1_2": 2, "conv2_2": 7, "conv3_3": 14, "conv4_3": 21, "conv5_3": 28}),
        ("vgg16", {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22, "relu5_3": 29}),
        ("alexnet", {"relu1": 1, "relu2": 4, "relu3": 7, "relu4": 9, "relu5": 11}),
    ],
)
def test_the_names_stand_at_the_known_positions(network, position):
    assert {name: layer_names(network).index(name) for name in position} == position


def test_a_network_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match=r"network \(vgg13\) must be one of vgg16, vgg19, alexnet"):
        layer_names("vgg13")


def test_the_trained_vgg16_in_half_precision_is_read_into_float32(reference_data):
    path = reference_data / "weights/vgg16_features_fp16.safetensors"
    layers = load(path, network="vgg16", names=["conv1_2", "conv5_3"])
    stored = load_file(path)
    state = layers.state_dict()
    assert {f"features.{key}" for key in state} == set(stored)
    assert all(value.dtype == torch.float32 for value in state.values())
    assert all(torch.equal(v, stored[f"features.{k}"].float()) for k, v in state.items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_a_safetensors_file_of_any_precision_is_read(published, content, tmp_path, dtype):
    half = published.half()
    content = {f"features.{k}": v.to(dtype) for k, v in half.state_dict().items()}
    save_file(content, tmp_path / "a.safetensors")
    assert_same(load(tmp_path / "a.safetensors"), half.float())


@pytest.mark.parametrize("zipped", [True, False])  # the published file has the older format
def test_a_file_is_read(published, content, tmp_path, zipped):
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert_same(load(tmp_path / "a.pth"), published)


def test_a_file_of_the_features_alone_is_read(published, tmp_path):
    torch.save(published.state_dict(), tmp_path / "a.pth")
    assert_same(load(tmp_path / "a.pth"), published)


def test_torchvision_s_own_state_dict_is_read(tmp_path):
    with torch.device("meta"):
        shapes = vgg19().state_dict()
    state = {
        key: torch.rand(value.shape) if key.startswith("features.") else torch.zeros(1)
        for key, value in shapes.items()
        if value.numel() < 300_000  # up to conv3_1: the rest is not looked at
    }
    torch.save(state, tmp_path / "a.pth")
    network = load(tmp_path / "a.pth", names=["relu3_1"])
    assert torch.equal(network[10].weight, state["features.10.weight"])


class Malicious:
    """Unpickled in earnest, it makes a folder."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


def test_nothing_in_a_file_is_executed(content, tmp_path):
    torch.save(content | {"x": Malicious(tmp_path / "canary")}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a.pth is damaged, or not a state dict alone"):
        load(tmp_path / "a.pth")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features.2.weight": torch.zeros(64, 64, 1, 1)}, r"2.weight is \[64, 64, 1, 1\] where"),
        ({"features.2.bias": 1.0}, r"features.2.bias is missing where \[64\] belongs"),
        ({"conv_first.weight": torch.zeros(1)}, r"it has conv_first.weight"),
        ({"features.1.weight": torch.zeros(1)}, r"it has features.1.weight"),
    ],
)
def test_a_file_of_other_weights_is_refused(content, tmp_path, change, message):
    torch.save(content | change, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=rf"a.pth is not of VGG19: .*{message}"):
        load(tmp_path / "a.pth")


@pytest.mark.parametrize("other", [vgg16, vgg19_bn])
def test_a_network_that_begins_as_vgg19_does_is_told_from_it(other, content, tmp_path):
    with torch.device("meta"):
        features = other().features.state_dict()
    content |= {f"features.{key}": torch.zeros(1) for key in features if key not in content}
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a.pth is not of VGG19"):
        load(tmp_path / "a.pth")


def test_a_file_of_vgg19_is_told_from_one_of_vgg16(content, tmp_path):
    with torch.device("meta"):
        features = vgg19().features.state_dict()
    content |= {f"features.{key}": torch.zeros(1) for key in features if key not in content}
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a.pth is not of VGG16: it has features.16.weight"):
        load(tmp_path / "a.pth", network="vgg16")


@pytest.mark.parametrize(("name", "save"), [("a.pth", torch.save), ("a.safetensors", save_file)])
@pytest.mark.parametrize("written", [b"", b"not a file of torch's", b"half"])
def test_a_damaged_file_is_refused(content, tmp_path, name, save, written):
    save(content, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2] if written == b"half" else written)
    with pytest.raises(ValueError, match=rf"{name} is damaged, or not a state dict alone"):
        load(tmp_path / name)


def test_a_file_that_is_not_there_is_refused_with_the_way_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"^weights \(imagnet\) is neither a file nor") as error:
        load("imagnet")
    url = VGG19_Weights.IMAGENET1K_V1.url
    file = tmp_path / "cache/hub/checkpoints" / url.rpartition("/")[2]
    assert url in str(error.value)
    assert f"put that file at {file}, " in str(error.value)
    assert "set a.setting=FILE" in str(error.value)
    assert "\n" not in str(error.value)


class Server(ThreadingHTTPServer):
    """Sends `body` as its `fault` says, and counts how often."""

    def __init__(self, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.body, self.fault, self.requests = body, "", 0


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        fault, body = self.server.fault, self.server.body
        self.server.requests += 1
        if fault == "no HTTP":
            self.wfile.write(b"?\r\n")
        elif fault == "not found":
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            damaged = {"truncated": body[:-1], "a wrong byte": body[:-1] + bytes([body[-1] ^ 1])}
            self.wfile.write(damaged.get(fault, body))

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(content, tmp_path, monkeypatch):
    torch.save(content, tmp_path / "a.pth")
    body = (tmp_path / "a.pth").read_bytes()
    with Server(body) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        name = f"vgg19-{hashlib.sha256(body).hexdigest()[:8]}.pth"
        url = f"http://127.0.0.1:{server.server_port}/models/{name}"
        monkeypatch.setattr(VGG19_Weights.IMAGENET1K_V1.value, "url", url)
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        server.file = tmp_path / "cache/hub/checkpoints" / name
        yield server
        server.shutdown()


def test_imagenet_is_downloaded_once(server, published, capsys):
    assert_same(load("imagenet"), published)
    assert server.file.read_bytes() == server.body
    assert_same(load("imagenet"), published)
    assert server.requests == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("fault", ["no HTTP", "not found", "truncated", "a wrong byte"])
def test_a_download_that_fails_leaves_nothing_and_can_be_repeated(server, published, fault):
    server.fault = fault
    with pytest.raises(ValueError, match=r"cannot be downloaded: .*a\.setting=FILE"):
        load("imagenet")
    assert list(server.file.parent.iterdir()) == []
    server.fault = ""
    assert_same(load("imagenet"), published)


def test_without_a_network_the_error_says_what_to_do(server, published):
    server.server_close()
    with pytest.raises(ValueError, match=r"cannot be downloaded: .*Connection re(fused|set).*FILE"):
        load("imagenet")
    server.file.write_bytes(server.body)  # as the error says
    assert_same(load("imagenet"), published)


def test_a_cache_that_cannot_be_written_is_no_crash(server, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder belongs")
    with pytest.raises(ValueError, match=r"cannot be downloaded: .*cache"):
        load("imagenet")


def test_a_damaged_file_in_the_cache_is_not_used(server):
    server.file.parent.mkdir(parents=True)
    server.file.write_bytes(server.body[:-1])
    with pytest.raises(ValueError, match=r"vgg19-.* is damaged, .* delete it"):
        load("imagenet")
    assert server.file.read_bytes() == server.body[:-1]
    assert server.requests == 0
