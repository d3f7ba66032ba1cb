"""The step of the GAN stage, against plain loops that restate the paper's equations."""

import copy
import math
from functools import partial

import pytest
import torch
from small_gan import ETA, LAMBDA, Critic, constant, stage
from small_stage import Enlarge, NaNAt, batches, fit
from torch import Tensor, nn

from esrgan.losses import RelativisticAverageGAN, StandardGAN
from esrgan.spectral_norm import add_spectral_norm
from esrgan.training import FiniteGuard, GANTraining
from esrgan.training.gan import gan_warnings


@pytest.fixture
def networks() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return Enlarge(batch_norm=True), Critic()


def plain_losses(generator, critic, batch) -> tuple[Tensor, Tensor]:
    """Equations 1 to 3 of the paper, with sigmoid and log, and the factor 1/2 of the code."""
    lq, gt = (batch[key].permute(0, 3, 1, 2).double() / 255 for key in ("lq", "gt"))
    sr = generator(lq)

    def expectations(images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        real, fake = critic(gt), critic(images)
        is_real = torch.sigmoid(real - fake.mean())
        is_fake = torch.sigmoid(fake - real.mean())
        logs = is_real.log(), (1 - is_real).log(), is_fake.log(), (1 - is_fake).log()
        return tuple(log.mean() for log in logs)

    _, not_real, as_real, _ = expectations(sr)
    adversarial = -(not_real + as_real) / 2
    content = (sr.square() - gt.square()).abs().mean() + ETA * (sr - gt).abs().mean()
    real, _, _, not_fake = expectations(sr.detach())
    return content + LAMBDA * adversarial, -(real + not_fake) / 2


def gradients(loss: Tensor, network: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(network.parameters())))


def test_the_gradients_are_those_of_the_papers_equations(networks) -> None:
    generator, critic = (network.double() for network in networks)
    batch = batches(1)[0]
    loss, opposite = plain_losses(generator, critic, batch)
    expected = [*gradients(loss, generator), *gradients(opposite, critic)]

    fit(stage(generator, critic), [batch], precision="64-true")

    found = [w.grad for network in (generator, critic) for w in network.parameters()]
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).norm() <= 1e-6 * theirs.norm() + 1e-12


def test_the_steps_are_those_of_a_plain_loop(networks) -> None:
    """Both gradients at the weights that an iteration began with; schedules count iterations."""
    plain = [copy.deepcopy(network).double() for network in networks]
    optimizers = [
        torch.optim.Adam(network.parameters(), lr=lr)
        for network, lr in zip(plain, (0.1, 0.01), strict=True)
    ]
    data = batches(4)
    for iteration, batch in enumerate(data):
        losses = plain_losses(*plain, batch)
        found = [gradients(*pair) for pair in zip(losses, plain, strict=True)]
        for optimizer, network, its, lr in zip(optimizers, plain, found, (0.1, 0.01), strict=True):
            optimizer.param_groups[0]["lr"] = lr if iteration < 2 else lr / 10
            for weight, gradient in zip(network.parameters(), its, strict=True):
                weight.grad = gradient
            optimizer.step()

    fit(stage(*networks), data, precision="64-true")

    for ours, theirs in zip(networks, plain, strict=True):
        for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            if name not in ("0.bias", "conv.bias"):  # BatchNorm leaves them a gradient of 0
                assert torch.allclose(mine, other, rtol=1e-6, atol=1e-9), name


def test_the_adversarial_term_alone_moves_the_generator(networks) -> None:
    fit(stage(*networks, losses={}), batches(1))
    assert networks[0].norm.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("loss", [RelativisticAverageGAN(detach_means=True), StandardGAN()])
def test_a_pass_for_each_image_has_the_gradients_of_the_published_passes(networks, loss) -> None:
    """In every bit: first the generator's passes at frozen weights, then the discriminator's."""
    generator, critic = (network.double() for network in networks)
    plain_generator, plain_critic = copy.deepcopy(generator), copy.deepcopy(critic)
    batch = batches(1)[0]
    lq, gt = (batch[key].permute(0, 3, 1, 2).double() / 255 for key in ("lq", "gt"))
    sr = plain_generator(lq)
    leaf = sr.detach().requires_grad_()
    plain_critic.requires_grad_(False)
    term = LAMBDA * loss.generator(plain_critic(gt), plain_critic(leaf))
    sr.backward(torch.autograd.grad(term, leaf)[0])
    plain_critic.requires_grad_(True)
    sum(loss.discriminator(plain_critic(gt), plain_critic(sr.detach()))).backward()

    fit(stage(generator, critic, {"loss": loss}, losses={}), [batch], precision="64-true")

    for ours, theirs in ((generator, plain_generator), (critic, plain_critic)):
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(mine.grad, other.grad)


@pytest.mark.parametrize("loss", [RelativisticAverageGAN(detach_means=False), StandardGAN()])
def test_the_discriminator_judges_each_image_once(networks, loss) -> None:
    fit(stage(*networks, {"loss": loss, "warmup_iterations": 1}), batches(2))
    assert networks[1].graphs == [True] * 4


def test_spectral_norms_are_iterated_as_often_as_in_published_code() -> None:
    """Three times: Real-ESRGAN's discriminator judges sr, gt, and sr again."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 1))
    add_spectral_norm(critic[0])
    expected = copy.deepcopy(critic)
    for _ in range(3):
        expected(torch.zeros(1, 3, 8, 8))
    fit(stage(Enlarge(), critic, {"loss": StandardGAN()}), batches(1))
    assert torch.equal(critic[0].weight_u, expected[0].weight_u)


def test_at_a_discriminator_that_says_nothing_the_values_are_known(networks) -> None:
    generator, critic = networks
    nn.init.zeros_(critic[4].weight)
    nn.init.zeros_(critic[4].bias)
    training = stage(generator, critic)
    values = logged(training, batches(1))[0]
    assert values["adversarial"] == pytest.approx(LAMBDA * math.log(2))
    assert values["discriminator_real"] == pytest.approx(math.log(2) / 2)
    assert values["discriminator_fake"] == pytest.approx(math.log(2) / 2)
    assert values["logit_gap"] == values["logit_real"] == values["logit_fake"] == 0


def logged(training: GANTraining, data) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = []
    step = training.training_step
    training.training_step = lambda *args: rows.append(step(*args)) or rows[-1]
    fit(training, data)
    return [{name: float(value) for name, value in row.items()} for row in rows]


def test_a_discriminator_that_is_always_right_is_said_to_be(networks) -> None:
    generator, critic = networks
    data = batches(30)
    for batch in data:
        batch["gt"].fill_(255)
    rows = logged(stage(generator, critic, {"schedule": constant, "optimizer": quick}), data)
    assert rows[-1]["discriminator_accuracy"] == 1
    assert rows[-1]["logit_gap"] > 1


quick = partial(torch.optim.Adam, lr=0.1)


def test_the_share_is_that_of_the_adversarial_gradient(networks) -> None:
    only = logged(stage(*networks, losses={}), batches(1))[0]
    assert only["adversarial_share"] == 1
    hardly = logged(stage(*networks, {"weight": 1e-12}), batches(1))[0]
    assert hardly["adversarial_share"] < 1e-9


def test_the_generator_waits_for_the_warm_up_and_for_its_turn(networks) -> None:
    opponent = {"warmup_iterations": 2, "steps_per_generator_step": 3}
    rows = logged(stage(*networks, opponent), batches(9))
    assert [i for i, row in enumerate(rows) if "pixel" in row] == [4, 7]
    assert all("discriminator_real" in row for row in rows)


@pytest.mark.parametrize("where", ["generator", "discriminator"])
def test_an_iteration_that_is_not_finite_changes_nothing(networks, where) -> None:
    generator, critic = networks
    data = batches(1)
    before = {name: network.state_dict() for name, network in zip("gd", networks, strict=True)}
    before = copy.deepcopy(before)
    changes = {"losses": {"pixel": NaNAt(1)}} if where == "generator" else {"losses": {}}
    training = stage(generator, critic, **changes)
    if where == "discriminator":
        critic.register_forward_hook(lambda _module, _images, logits: logits * math.nan)
    average = copy.deepcopy(training.ema.state_dict())
    fit(training, data)
    networks_kept = {"g": generator} | ({"d": critic} if where == "discriminator" else {})
    for name, network in networks_kept.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, before[name][key]), (name, key)
    for key, value in training.ema.state_dict().items():
        assert torch.equal(value, average[key]), key


def test_micro_batches_change_memory_not_the_gradient_of_a_standard_gan() -> None:
    results = []
    for count in (1, 4):
        torch.manual_seed(0)
        generator, critic = Enlarge(), nn.Sequential(nn.Flatten(), nn.Linear(192, 1))
        training = stage(generator, critic, {"loss": StandardGAN()}, num_micro_batches=count)
        rows = logged(training, batches(3))
        results.append((generator.conv.weight, critic[1].weight, *rows[0].values()))
    for one, four in zip(*results, strict=True):
        assert torch.allclose(torch.as_tensor(one), torch.as_tensor(four), atol=1e-5)


def test_the_average_follows_weights_and_buffers(networks) -> None:
    training = fit(stage(*networks), batches(3))
    for key in ("norm.running_mean", "norm.running_var"):
        assert torch.equal(training.ema.state_dict()[key], networks[0].state_dict()[key])
    assert not torch.equal(training.ema.norm.weight, networks[0].norm.weight)


def test_a_step_waits_for_no_device(networks, monkeypatch) -> None:
    training = stage(*networks)
    step = training.training_step

    def watched(*args):
        with pytest.MonkeyPatch.context() as patch:
            for name in ("item", "tolist", "__bool__", "__float__", "__int__", "cpu", "numpy"):
                patch.setattr(Tensor, name, refuse)
            return step(*args)

    def refuse(*_):
        raise AssertionError("the step asked for a value on the host")

    monkeypatch.setattr(training, "training_step", watched)
    fit(training, batches(2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight": 0.0}, r"adversarial\.weight \(0\.0\) must be more than 0"),
        ({"warmup_iterations": -1}, r"warmup_iterations \(-1\) must be at least 0"),
        ({"steps_per_generator_step": 0}, r"steps_per_generator_step \(0\) must be at least 1"),
    ],
)
def test_an_adversarial_part_that_cannot_work_is_refused(networks, changes, message) -> None:
    with pytest.raises(ValueError, match=message):
        stage(*networks, changes)


def test_a_stage_without_its_adversarial_term_is_refused(networks) -> None:
    training = stage(*networks)
    with pytest.raises(ValueError, match=r"losses\.adversarial is null: .* training=psnr"):
        GANTraining(
            generator=networks[0],
            losses={"pixel": nn.L1Loss(), "adversarial": None},
            discriminator=training.opponent,
            warmup_iterations=0,
            steps_per_generator_step=1,
            optimizer=partial(torch.optim.Adam, lr=0.1),
            schedule=constant,
            ema_decay=None,
            guard=FiniteGuard(clip_norm=None, max_in_a_row=5),
            num_micro_batches=1,
            seed=0,
        )


WELL = {
    # BasicSR issue 160: the author calls these healthy
    "train/discriminator_real": 0.32,
    "train/discriminator_fake": 0.54,
    "train/discriminator_accuracy": 0.8,
    "train/logit_gap": 2.3,
    "train/adversarial_share": 0.05,
}


def test_healthy_figures_cause_no_warning() -> None:
    assert gan_warnings(WELL) == {}


def test_a_discriminator_without_doubt_is_warned_of() -> None:
    certain = {
        "train/discriminator_real": 2e-3,
        "train/discriminator_fake": 1e-3,
        "train/discriminator_accuracy": 1.0,
        "train/logit_gap": 11.0,
    }
    ((name, words),) = gan_warnings(WELL | certain).items()
    assert name == "discriminator saturated"
    assert "100.0% of the images apart" in words
    assert "training.discriminator.optimizer.lr" in words


@pytest.mark.parametrize("share", [0.0, 9e-5])
def test_an_adversarial_gradient_that_decides_nothing_is_warned_of(share: float) -> None:
    ((name, words),) = gan_warnings(WELL | {"train/adversarial_share": share}).items()
    assert name == "adversarial gradient dead"
    assert "training.losses.adversarial.weight" in words


def test_an_interval_without_a_generator_step_says_nothing_of_its_gradient() -> None:
    without = {name: value for name, value in WELL.items() if "share" not in name}
    assert gan_warnings(without) == {}
