import pytest
import torch
from torch import nn
from torchvision.models import vgg16, vgg19

from esrgan.backbones import layer_names
from esrgan.losses import PerceptualLoss

POSITIONS = {  # in torchvision's features, as published for ESRGAN and Real-ESRGAN
    "conv1_2": 2,
    "conv2_2": 7,
    "conv3_4": 16,
    "conv4_4": 25,
    "conv5_4": 34,
    "relu5_4": 35,
}


def make_loss(layers, criterion=None, **arguments) -> PerceptualLoss:
    return PerceptualLoss(
        layers=layers,
        criterion=criterion or nn.L1Loss(),
        **{"weights": "random", "seed": 0} | arguments,
    )


def images(*shape, low=-0.2, high=1.2) -> list[torch.Tensor]:
    """Two batches, with values that a network may well put out beyond 0 and 1."""
    generator = torch.Generator().manual_seed(0)
    return [low + (high - low) * torch.rand(shape, generator=generator) for _ in range(2)]


@pytest.fixture(scope="module")
def deep() -> PerceptualLoss:
    return make_loss({"conv5_4": 1.0})


@pytest.fixture(scope="module")
def reference(deep) -> nn.Sequential:
    """Torchvision's own network with the same weights; no activation of it is in place."""
    with torch.device("meta"):
        features = vgg19().features[:36]
    for layer in features:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    features.load_state_dict(deep.vgg.state_dict(), assign=True)
    return features.eval()


def reference_features(reference, x: torch.Tensor) -> dict[str, torch.Tensor]:
    x = x.movedim(1, -1)
    x = (x - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    x = x.movedim(-1, 1)
    outputs = []
    for layer in reference:
        x = layer(x)
        outputs.append(x)
    return {name: outputs[position] for name, position in POSITIONS.items()}


def test_up_to_conv5_4_there_are_as_many_parameters_as_published(deep):
    assert sum(parameter.numel() for parameter in deep.parameters()) == 20_024_384


def test_only_the_layers_that_are_needed_are_built():
    assert len(make_loss({"relu1_1": 1.0, "conv2_1": 1.0}).vgg) == 6


def test_values_and_gradients_are_those_of_torchvision_s_network(reference):
    sr, gt = images(2, 3, 32, 32)
    sr.requires_grad_()
    weights = {name: 0.5 + position for name, position in POSITIONS.items()}
    loss = make_loss(weights)  # the same seed: the same weights
    found, expected = reference_features(reference, sr), reference_features(reference, gt)
    total = sum(w * (found[name] - expected[name]).abs().mean() for name, w in weights.items())
    value = loss(sr, gt)
    torch.testing.assert_close(value, total)
    torch.testing.assert_close(*(torch.autograd.grad(v, sr)[0] for v in (value, total)))


def test_conv5_4_alone_is_that_of_torchvision_s_network(deep, reference):
    sr, gt = images(1, 3, 16, 48)
    found, expected = (reference_features(reference, x)["conv5_4"] for x in (sr, gt))
    torch.testing.assert_close(deep(sr, gt), (found - expected).abs().mean())


def test_vgg16_is_compared_where_it_is_named():
    sr, gt = images(1, 3, 16, 32)
    loss = make_loss({"conv5_3": 1.0}, network="vgg16")
    with torch.device("meta"):
        features = vgg16().features[:29]
    features.load_state_dict(loss.vgg.state_dict(), assign=True)
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
    found, expected = (features.eval()((image - mean) / std) for image in (sr, gt))
    torch.testing.assert_close(loss(sr, gt), (found - expected).abs().mean())


PUBLISHED = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}


def test_the_five_layers_of_real_esrgan_are_summed_by_their_weights_before_activation():
    """By hand: each convolution hands on its first channel; red is 1 and 2 once normalised."""
    loss = make_loss(PUBLISHED)
    convolutions = [layer for layer in loss.vgg if isinstance(layer, nn.Conv2d)]
    for layer in convolutions:
        nn.init.zeros_(layer.weight)
        layer.weight[:, 0, 1, 1] = 1
    convolutions[-1].bias.fill_(-4)  # conv5_4 is -3 and -2: after its activation, both would be 0
    sr, gt = (torch.full((1, 3, 16, 16), 0.485 + level * 0.229) for level in (1, 2))
    # |1 - 2| at each layer: 0.1 + 0.1 + 1 + 1 + 1
    torch.testing.assert_close(loss(sr, gt), torch.tensor(3.2))


@pytest.mark.parametrize(("criterion", "power"), [(nn.L1Loss(), 1), (nn.MSELoss(), 2)])
def test_the_features_are_scaled_before_they_are_compared(criterion, power):
    pair = images(1, 3, 8, 8)
    plain = make_loss({"relu2_1": 1.0}, criterion)(*pair)
    scaled = make_loss({"relu2_1": 1.0}, criterion, feature_scale=1 / 12.75)(*pair)
    assert plain > 0
    torch.testing.assert_close(scaled, plain / 12.75**power)


def test_equal_images_have_no_distance(deep):
    image, _ = images(1, 3, 16, 16)
    assert deep(image, image) == 0


def test_the_images_are_not_clamped():
    sr, gt = images(1, 3, 8, 8)
    loss = make_loss({"conv1_1": 1.0})
    assert loss(sr, gt) != loss(sr.clamp(0, 1), gt)
    assert loss(sr, gt) != loss(sr, gt.clamp(0, 1))


def test_the_gradient_is_that_of_finite_differences():
    # The activation between the two that are compared is in place.
    loss = make_loss({"conv1_1": 1.0, "relu1_1": 0.5, "pool1": 2.0}, nn.MSELoss()).double()
    sr, gt = (image.double() for image in images(1, 3, 4, 4))
    assert torch.autograd.gradcheck(lambda sr: loss(sr, gt), sr.requires_grad_())


def test_the_gradient_reaches_sr_alone(deep):
    sr, gt = (image.requires_grad_() for image in images(1, 3, 16, 16))
    deep(sr, gt).backward()
    assert sr.grad.abs().min() > 0
    assert gt.grad is None
    assert all(parameter.grad is None for parameter in deep.parameters())


def test_it_is_frozen_whatever_the_module_around_it_does():
    loss = make_loss({"conv1_1": 1.0})
    assert not any(module.training for module in loss.modules())
    nn.ModuleList([loss]).train()
    assert not any(module.training for module in loss.modules())
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_the_channels_are_last_in_memory(deep):
    outputs = []
    hook = deep.vgg[-1].register_forward_hook(lambda *arguments: outputs.append(arguments[-1]))
    deep(*images(2, 3, 32, 32))
    hook.remove()
    assert all(x.is_contiguous(memory_format=torch.channels_last) for x in outputs)
    assert not any(x.is_contiguous() for x in outputs)


class Recorder(nn.Module):
    """A criterion that remembers what it was given."""

    def forward(self, found: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
        self.given = found, expected
        return (found - expected).abs().mean()


def test_under_autocast_only_the_features_are_in_bfloat16():
    criterion = Recorder()
    loss = make_loss({"conv2_1": 1.0}, criterion)
    sr, gt = images(1, 3, 16, 16)
    exact = loss(sr, gt)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(sr, gt)
    assert {value.dtype, *(x.dtype for x in criterion.given)} == {torch.float32}
    assert value != exact
    torch.testing.assert_close(value, exact, rtol=1e-2, atol=0)
    assert all(torch.equal(x, x.bfloat16().float()) for x in criterion.given)


def test_double_precision_stays():
    criterion = Recorder()
    loss = make_loss({"conv1_1": 1.0}, criterion).double()
    value = loss(*(image.double() for image in images(1, 3, 8, 8)))
    assert {value.dtype, *(x.dtype for x in criterion.given)} == {torch.float64}


def test_a_layer_is_left_out_with_null():
    loss = make_loss({"conv5_4": None, "conv1_1": 1.0})
    pair = images(1, 3, 8, 8)
    assert len(loss.vgg) == 1
    assert loss(*pair) == make_loss({"conv1_1": 1.0})(*pair)


@pytest.mark.parametrize(
    ("layers", "arguments", "message"),
    [
        ({"conv54": 1.0}, {}, r"conv54 is not a layer of VGG19: did you mean conv5_4\?"),
        ({"conv5_5": 1.0}, {}, r"conv5_5 is not a layer of VGG19: did you mean conv5_"),
        ({"conv5_4": 1.0}, {"network": "vgg16"}, r"conv5_4 is not a .* VGG16: .* conv5_3\?"),
        ({"conv5_4": 1.0}, {"network": "vgg18"}, r"network \(vgg18\) must be one of vgg16, vgg19"),
        ({"54": 1.0}, {}, r"54 is not a layer of VGG19: there are conv1_1, relu1_1, .* pool5$"),
        ({}, {}, r"at least one must not be null"),
        ({"conv1_1": None}, {}, r"at least one must not be null"),
        ({"conv1_1": 0.0}, {}, r"weight of conv1_1 \(0.0\) must be more than 0: .* null"),
        ({"conv1_1": float("nan")}, {}, r"weight of conv1_1 \(nan\) must be more than 0"),
        ({"conv1_1": 1.0}, {"feature_scale": 0.0}, r"feature_scale \(0.0\) must be more than 0"),
    ],
)
def test_an_argument_that_cannot_work_is_refused(layers, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_loss(layers, **arguments)


def test_the_names_stand_at_the_published_positions():
    assert {name: layer_names("vgg19").index(name) for name in POSITIONS} == POSITIONS
    assert len(layer_names("vgg19")) == 37
