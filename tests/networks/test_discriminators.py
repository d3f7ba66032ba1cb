"""What the GAN stage asks of every discriminator."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import nn

from esrgan.networks import SRGANDiscriminator, UNetDiscriminator, VGGDiscriminator

CONFIGS = Path(__file__).parents[2] / "configs"
MAKE = {
    "vgg": lambda: VGGDiscriminator(input_size=32, num_features=2),
    "vgg_spectral": lambda: VGGDiscriminator(
        input_size=32, num_features=2, batch_norm=False, spectral_norm=True, conv_bias=True
    ),
    "unet": lambda: UNetDiscriminator(num_features=2),
    "srgan": lambda: SRGANDiscriminator(input_size=32, num_features=2),
}


@pytest.fixture(params=MAKE)
def make(request):
    return MAKE[request.param]


@pytest.fixture
def discriminator(make) -> nn.Module:
    torch.manual_seed(0)
    return make()


def make_images(dtype=torch.float32) -> torch.Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)).to(dtype)


def logits_in_evaluation_mode(network: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return deepcopy(network).eval()(make_images())


def take_a_training_step(network: nn.Module) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    optimizer.zero_grad()
    (network(make_images()).mean() - network(make_images() / 2).mean()).backward()
    optimizer.step()


def test_the_gradient_reaches_every_parameter_and_the_images(discriminator):
    images = make_images().requires_grad_()
    discriminator(images).square().sum().backward()
    assert images.grad.abs().max() > 0
    assert all(parameter.grad.abs().max() > 0 for parameter in discriminator.parameters())


def test_the_gradient_at_the_images_is_that_of_finite_differences(discriminator):
    network = discriminator.double().eval()
    images = make_images(torch.double)

    def judge(corner):
        changed = images.clone()
        changed[:, :, 14:16, 14:16] = corner
        return network(changed).flatten(1).mean(dim=1)

    corner = images[:, :, 14:16, 14:16].clone().requires_grad_()
    assert torch.autograd.gradcheck(judge, corner)


def test_the_memory_format_changes_nothing(discriminator):
    take_a_training_step(discriminator)
    expected = logits_in_evaluation_mode(discriminator)
    discriminator.to(memory_format=torch.channels_last)
    torch.testing.assert_close(logits_in_evaluation_mode(discriminator), expected)
    take_a_training_step(discriminator)


def test_double_precision_is_double_precision_throughout(discriminator):
    take_a_training_step(discriminator)
    single = discriminator.eval()(make_images())
    double = discriminator.double()(make_images(torch.double))
    assert double.dtype == torch.double
    torch.testing.assert_close(double.float(), single, rtol=1e-4, atol=1e-5)


def test_bfloat16_in_training_leaves_all_weights_and_statistics_in_float32(discriminator):
    with torch.autocast("cpu", torch.bfloat16):
        take_a_training_step(discriminator)
    dtypes = {tensor.dtype for tensor in discriminator.state_dict().values()}
    assert dtypes <= {torch.float32, torch.int64}


def test_a_copy_made_in_the_middle_of_training_is_the_same(discriminator):
    take_a_training_step(discriminator)
    copy = deepcopy(discriminator)
    for network in (discriminator, copy):
        take_a_training_step(network)
    torch.testing.assert_close(copy.state_dict(), discriminator.state_dict(), rtol=0, atol=0)


def test_a_state_dict_holds_everything(discriminator, make, tmp_path):
    take_a_training_step(discriminator)
    torch.save(discriminator.state_dict(), tmp_path / "state.pt")
    again = make()
    again.load_state_dict(torch.load(tmp_path / "state.pt"))
    for network in (discriminator, again):
        network(make_images())  # moves statistics and singular vectors on
    torch.testing.assert_close(again.state_dict(), discriminator.state_dict(), rtol=0, atol=0)


def build(name: str, *overrides: str) -> nn.Module:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        cfg = compose(None, [f"+discriminator={name}", "+patch_size=96", *overrides])
    return instantiate(cfg.discriminator)


NUM_PARAMETERS = {
    "vgg": 14_141_001,
    "vgg_2018": 14_143_881,
    "vgg_spectral": 14_143_881 - 2 * (64 + 2 * 128 + 2 * 256 + 4 * 512),  # no BatchNorm
    "vgg_light": 971_817,
    "unet": 4_376_897,
    "unet_light": 274_001,
    "srgan": 23_565_505,
}


@pytest.mark.parametrize("name", NUM_PARAMETERS)
def test_the_config_builds_the_network_it_is_named_for(name):
    with torch.device("meta"):
        network = build(name)
    assert sum(parameter.numel() for parameter in network.parameters()) == NUM_PARAMETERS[name]


def test_no_config_goes_untested():
    names = {path.stem for path in (CONFIGS / "discriminator").glob("*.yaml")}
    assert names - {"none"} == set(NUM_PARAMETERS)


def test_the_config_of_2018_starts_from_hes_weights():
    torch.manual_seed(0)
    network = build("vgg_2018", "discriminator.num_features=32")
    assert not network.conv3_1.bias.any()
    he = (2 / (256 * 4 * 4)) ** 0.5
    assert float(network.conv3_1.weight.detach().std()) == pytest.approx(he, rel=0.02)
