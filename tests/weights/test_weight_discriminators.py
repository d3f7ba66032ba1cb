import re

import pytest
import torch
from torch import nn
from torch.nn.utils import spectral_norm
from weight_samples import lively

from esrgan.networks import SRGANDiscriminator, UNetDiscriminator, VGGDiscriminator
from esrgan.weights import (
    WeightsError,
    load_discriminator,
    load_discriminator_into,
    load_generator,
)

VGG_FORMS = [
    {"input_size": 128},
    {"input_size": 96, "conv_bias": True},
    {"input_size": 192},
    {"input_size": 6},
    {"input_size": 32, "batch_norm": False},
    {"input_size": 32, "batch_norm": False, "spectral_norm": True, "conv_bias": True},
]


def assert_same_logits(loaded, network, size):
    images = torch.rand(2, 3, size, size)
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), network.eval()(images))


@pytest.mark.parametrize("wrapper", [None, "params", "discriminator"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_vgg_discriminator_is_found_wherever_it_is(save, wrapper, prefix):
    network = lively(VGGDiscriminator(input_size=12, num_features=2))
    state = {prefix + key: tensor for key, tensor in network.state_dict().items()}
    loaded = load_discriminator(save({wrapper: state, "epoch": 1} if wrapper else state))
    assert not loaded.training
    assert_same_logits(loaded, network, 12)


@pytest.mark.parametrize("form", VGG_FORMS)
def test_shapes_tell_the_size_of_the_images_and_the_form(save, form):
    network = VGGDiscriminator(num_features=2, **form)
    if not form.get("spectral_norm"):
        lively(network)
    loaded = load_discriminator(save({"params": network.state_dict()}))
    assert loaded.input_size == form["input_size"]
    assert_same_logits(loaded, network, form["input_size"])


def test_srgans_discriminator_is_told_from_vggs(save):
    network = lively(SRGANDiscriminator(input_size=48, num_features=2))
    loaded = load_discriminator(save({"discriminator": network.state_dict()}, "a.ckpt"))
    assert isinstance(loaded, SRGANDiscriminator)
    assert_same_logits(loaded, network, 48)


class PublishedUNet(nn.Module):
    """UNetDiscriminatorSN with PyTorch's own spectral normalisation, as Real-ESRGAN has it."""

    def __init__(self):
        super().__init__()
        sizes = [(3, 2), (2, 4), (4, 8), (8, 16), (16, 8), (8, 4), (4, 2), (2, 2), (2, 2), (2, 1)]
        for i, (num_in, num_out) in enumerate(sizes):
            halves, ends = i in (1, 2, 3), i in (0, 9)
            conv = nn.Conv2d(num_in, num_out, *((4, 2, 1) if halves else (3, 1, 1)), bias=ends)
            self.add_module(f"conv{i}", conv if ends else spectral_norm(conv))

    def forward(self, x):
        skips, lrelu = [], nn.LeakyReLU(0.2)
        double = nn.Upsample(scale_factor=2, mode="bilinear")
        for i in range(10):
            if i in (4, 5, 6):
                x = double(x)
            x = self.get_submodule(f"conv{i}")(x)
            x = x if i == 9 else lrelu(x)
            if i < 3:
                skips.append(x)
            if i in (4, 5, 6):
                x = x + skips.pop()
        return x


def test_a_released_unet_discriminator_is_read_with_its_norm(save):
    torch.manual_seed(0)
    network = PublishedUNet()
    with torch.no_grad():
        network(torch.rand(1, 3, 16, 16))  # an iteration of the norm
    loaded = load_discriminator(save({"params": network.state_dict()}, "x4_netD.pth"))
    assert isinstance(loaded, UNetDiscriminator)
    assert_same_logits(loaded, network, 16)


def vgg_of_2018(size):
    """Discriminator_VGG of BasicSR in 2018, at an eighth of its channels."""
    channels = [(3, 8), (8, 8), (8, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64)]
    channels += [(64, 64)] * {96: 2, 192: 4}[size]
    layers = []
    for i, (num_in, num_out) in enumerate(channels):
        shape = (4, 2, 1) if i % 2 else (3, 1, 1)
        norm = [nn.BatchNorm2d(num_out)] if i else []
        layers += [nn.Conv2d(num_in, num_out, *shape), *norm, nn.LeakyReLU(0.2)]
    network = nn.Module()
    network.features = nn.Sequential(*layers)
    linear = nn.Linear(64 * 3 * 3, 100), nn.LeakyReLU(0.2), nn.Linear(100, 1)
    network.classifier = nn.Sequential(*linear)
    return lively(network)


@pytest.mark.parametrize("size", [96, 192])
def test_numbered_discriminators_of_2018_open(save, size):
    network = vgg_of_2018(size)
    loaded = load_discriminator(save(network.state_dict()))
    assert loaded.input_size == size
    images = torch.rand(1, 3, size, size)
    with torch.no_grad():
        expected = network.classifier(network.features(images).flatten(1))
        torch.testing.assert_close(loaded(images), expected)


def test_generator_and_discriminator_are_not_taken_for_each_other(save, rrdb):
    generator = save({"params_ema": rrdb.state_dict()}, "g.pth")
    with pytest.raises(WeightsError, match=r"g\.pth .* it holds a generator .* discriminator is"):
        load_discriminator(generator)
    for network in (
        VGGDiscriminator(input_size=12, num_features=2),
        UNetDiscriminator(num_features=2),
        SRGANDiscriminator(input_size=16, num_features=2),
    ):
        with pytest.raises(WeightsError, match=r"holds a discriminator \(conv0.* a generator is"):
            load_generator(save({"params": network.state_dict()}))


def test_a_checkpoint_gives_either_of_its_networks(save, rrdb):
    network = lively(VGGDiscriminator(input_size=12, num_features=2))
    both = {"generator": rrdb.state_dict(), "ema": None, "discriminator": network.state_dict()}
    path = save(both | {"architecture": rrdb.architecture}, "a.ckpt")
    assert_same_logits(load_discriminator(path), network, 12)
    assert load_generator(path).architecture == rrdb.architecture
    with pytest.raises(WeightsError, match=r"holds no discriminator: .*; it has iteration"):
        load_discriminator(save({"iteration": 3, "generator": rrdb.state_dict()}, "psnr.ckpt"))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"linear1.weight": torch.zeros(100, 33)}, "linear1 takes 33 numbers, which is no square"),
        ({"linear1.weight": None}, "linear1.weight must have 2 dimensions, its shape is none"),
        ({"conv0_1.weight": torch.zeros(4)}, r"conv0_1.weight must have 4 .* shape is \(4,\)"),
        ({"bn1_0.bias": None}, "looks like VGGDiscriminator.*1 missing from the file: bn1_0.bias"),
        ({"linear1.weight": torch.zeros(100, 4 * 25)}, r"input_size \(20\) must be"),
        ({"conv0_0.weight": None}, "it holds neither VGGDiscriminator"),
    ],
)
def test_weights_that_fit_no_discriminator_are_explained(save, edit, message):
    state = VGGDiscriminator(input_size=12, num_features=2).state_dict() | edit
    path = save({key: tensor for key, tensor in state.items() if tensor is not None})
    with pytest.raises(WeightsError) as error:
        load_discriminator(path)
    assert re.search(message, str(error.value), re.DOTALL), error.value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_discriminator_that_has_diverged_is_refused(save, value):
    network = UNetDiscriminator(num_features=2)
    network.conv9.bias.data[0] = value
    with pytest.raises(WeightsError, match=r"1 of the 1 values of conv9\.bias"):
        load_discriminator(save({"params": network.state_dict()}))


def test_a_discriminator_starts_from_a_published_file(save):
    """Spectral normalisation's vectors are among what is taken over."""
    torch.manual_seed(0)
    published, network = PublishedUNet(), UNetDiscriminator(num_features=2)
    with torch.no_grad():
        published(torch.rand(1, 3, 16, 16))  # an iteration of the norm
    report = load_discriminator_into(network, save({"params": published.state_dict()}))
    assert report.complete
    assert_same_logits(network.eval(), published, 16)


def test_a_discriminator_starts_from_a_runs_checkpoint(save):
    theirs, network = (VGGDiscriminator(input_size=12, num_features=2) for _ in range(2))
    checkpoint = {"generator": {"conv.bias": torch.zeros(1)}, "discriminator": theirs.state_dict()}
    load_discriminator_into(network, save(checkpoint, "a.ckpt"))
    assert_same_logits(network.eval(), theirs, 12)


@pytest.mark.parametrize(
    "state",
    [
        VGGDiscriminator(input_size=24, num_features=2).state_dict(),  # another size of images
        VGGDiscriminator(input_size=12, num_features=4).state_dict(),
        UNetDiscriminator(num_features=2).state_dict(),
        {"conv_first.weight": torch.zeros(1)},
    ],
)
def test_a_discriminator_does_not_start_from_a_part(save, state):
    network = VGGDiscriminator(input_size=12, num_features=2)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    message = r"does not fit the discriminator: .* discriminator=unet.*patch_size"
    with pytest.raises(WeightsError, match=message):
        load_discriminator_into(network, save(state))
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


def test_a_checkpoint_of_the_psnr_stage_has_no_discriminator_to_start_from(save):
    network = VGGDiscriminator(input_size=12, num_features=2)
    with pytest.raises(WeightsError, match="holds no discriminator"):
        load_discriminator_into(network, save({"generator": {"a": torch.zeros(1)}, "iteration": 1}))
