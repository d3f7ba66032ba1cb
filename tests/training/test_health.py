import pytest

from esrgan.training.health import gan_concerns

WELL = {
    # BasicSR issue 160: the author calls these healthy
    "train/discriminator_real": 0.32,
    "train/discriminator_fake": 0.54,
    "train/discriminator_accuracy": 0.8,
    "train/logit_gap": 2.3,
    "train/adversarial_share": 0.05,
}


def test_healthy_figures_cause_no_concern() -> None:
    assert gan_concerns(WELL) == {}


def test_a_discriminator_without_doubt_is_a_concern() -> None:
    certain = {
        "train/discriminator_real": 2e-3,
        "train/discriminator_fake": 1e-3,
        "train/discriminator_accuracy": 1.0,
        "train/logit_gap": 11.0,
    }
    ((name, words),) = gan_concerns(WELL | certain).items()
    assert name == "discriminator saturated"
    assert "100.0% of the images apart" in words
    assert "training.adversary.optimizer.lr" in words


@pytest.mark.parametrize("share", [0.0, 9e-5])
def test_an_adversarial_gradient_that_decides_nothing_is_a_concern(share: float) -> None:
    ((name, words),) = gan_concerns(WELL | {"train/adversarial_share": share}).items()
    assert name == "adversarial gradient dead"
    assert "training.adversary.weight" in words


def test_an_interval_without_a_generator_step_says_nothing_of_its_gradient() -> None:
    without = {name: value for name, value in WELL.items() if "share" not in name}
    assert gan_concerns(without) == {}
