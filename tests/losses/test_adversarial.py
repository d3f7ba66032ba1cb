from math import exp, log

import pytest
import torch
from torch import Tensor

from esrgan.losses import HingeGAN, LeastSquaresGAN, RelativisticAverageGAN, StandardGAN

GANS = {
    "standard": StandardGAN(),
    "exact": RelativisticAverageGAN(detach_means=False),
    "detached": RelativisticAverageGAN(detach_means=True),
    "least squares": LeastSquaresGAN(),
    "hinge": HingeGAN(),
}
RELATIVISTIC = ["exact", "detached"]
SHAPES = [(4, 1), (2, 1, 3, 5)]


def column(*logits: float) -> Tensor:
    return torch.tensor(logits, dtype=torch.double).unsqueeze(1).requires_grad_()


def random_logits(shape, dtype=torch.double) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(
        (2 * torch.randn(shape, generator=generator, dtype=torch.double) + shift)
        .to(dtype)
        .requires_grad_()
        for shift in (0.5, -0.5)
    )


def softplus(x: float) -> float:
    """-log of the sigmoid of -x."""
    return log(1 + exp(x))


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def test_standard_terms_by_hand():
    real, fake = column(2.0, -1.0), column(0.5, -3.0)
    real_term, fake_term = StandardGAN().discriminator(real, fake)
    assert real_term.item() == pytest.approx((softplus(-2.0) + softplus(1.0)) / 2)
    assert fake_term.item() == pytest.approx((softplus(0.5) + softplus(-3.0)) / 2)
    generator_term = StandardGAN().generator(None, fake)
    assert generator_term.item() == pytest.approx((softplus(-0.5) + softplus(3.0)) / 2)


@pytest.mark.parametrize("name", RELATIVISTIC)
def test_relativistic_terms_by_hand(name):
    real, fake = column(2.0, -1.0), column(0.5, -3.5)
    # The means are 0.5 and -1.5: real is 3.5 and 0.5 above fake's, fake 0 and -4 above real's.
    real_term, fake_term = GANS[name].discriminator(real, fake)
    assert real_term.item() == pytest.approx((softplus(-3.5) + softplus(-0.5)) / 2 / 2)
    assert fake_term.item() == pytest.approx((softplus(0.0) + softplus(-4.0)) / 2 / 2)
    called_fake = (softplus(3.5) + softplus(0.5)) / 2
    called_real = (softplus(0.0) + softplus(4.0)) / 2
    generator_term = GANS[name].generator(real, fake)
    assert generator_term.item() == pytest.approx((called_fake + called_real) / 2)


def test_least_squares_terms_by_hand():
    real, fake = column(2.0, -1.0), column(0.5, -3.0)
    real_term, fake_term = LeastSquaresGAN().discriminator(real, fake)
    assert real_term.item() == (1.0 + 4.0) / 2
    assert fake_term.item() == (0.25 + 9.0) / 2
    assert LeastSquaresGAN().generator(None, fake).item() == (0.25 + 16.0) / 2


def test_hinge_terms_by_hand():
    real, fake = column(2.0, -1.0), column(0.5, -3.0)
    real_term, fake_term = HingeGAN().discriminator(real, fake)
    assert real_term.item() == (0.0 + 2.0) / 2
    assert fake_term.item() == (1.5 + 0.0) / 2
    assert HingeGAN().generator(None, fake).item() == -(0.5 - 3.0) / 2


@pytest.mark.parametrize(
    ("name", "generator_term", "discriminator_term"),
    [
        ("standard", log(2), log(2)),
        ("exact", log(2), log(2) / 2),
        ("detached", log(2), log(2) / 2),
    ],
)
def test_terms_of_a_discriminator_that_has_learnt_nothing(name, generator_term, discriminator_term):
    zeros = torch.zeros(4, 1)
    assert GANS[name].generator(zeros, zeros).item() == pytest.approx(generator_term)
    terms = [term.item() for term in GANS[name].discriminator(zeros, zeros)]
    assert terms == pytest.approx([discriminator_term] * 2)


def paper(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Equations 1 and 2 of the ESRGAN paper as printed: of the discriminator, of the generator."""
    real_is_realer = torch.sigmoid(real - fake.mean())
    fake_is_realer = torch.sigmoid(fake - real.mean())
    of_discriminator = -real_is_realer.log().mean() - (1 - fake_is_realer).log().mean()
    of_generator = -(1 - real_is_realer).log().mean() - fake_is_realer.log().mean()
    return of_discriminator, of_generator


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", RELATIVISTIC)
def test_the_values_are_half_of_the_paper_s(name, shape):
    real, fake = random_logits(shape)
    of_discriminator, of_generator = paper(real, fake)
    torch.testing.assert_close(sum(GANS[name].discriminator(real, fake)), of_discriminator / 2)
    torch.testing.assert_close(GANS[name].generator(real, fake), of_generator / 2)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_exact_gradient_of_the_discriminator_is_half_of_the_paper_s(shape):
    real, fake = random_logits(shape)
    expected = torch.autograd.grad(paper(real, fake)[0] / 2, [real, fake])
    found = torch.autograd.grad(sum(GANS["exact"].discriminator(real, fake)), [real, fake])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", RELATIVISTIC)
def test_the_gradient_of_the_generator_is_half_of_the_paper_s_in_both_forms(name, shape):
    real, fake = random_logits(shape)
    expected = torch.autograd.grad(paper(real, fake)[1] / 2, fake)
    found = torch.autograd.grad(GANS[name].generator(real, fake), fake)
    torch.testing.assert_close(found, expected)


def test_gradients_of_the_two_forms_by_hand():
    # One logit each, 1 and -1. -log sigmoid(x) has the slope -sigmoid(-x) in x, and both margins
    # depend on both logits: real - fake = 2, fake - real = -2.
    slope = sigmoid(-2.0)
    expected = {
        "exact": (-slope / 2 - slope / 2, slope / 2 + slope / 2),
        "detached": (-slope / 2, slope / 2),
    }
    for name, gradients in expected.items():
        real, fake = column(1.0), column(-1.0)
        sum(GANS[name].discriminator(real, fake)).backward()
        assert (real.grad.item(), fake.grad.item()) == pytest.approx(gradients)
        fake.grad = None
        GANS[name].generator(real, fake).backward()
        assert fake.grad.item() == pytest.approx(-sigmoid(2.0))


@pytest.mark.parametrize("name", GANS)
def test_the_adversarial_term_reaches_the_generator_and_no_real_image(name):
    real, fake = random_logits((4, 1))
    GANS[name].generator(real, fake).backward()
    assert fake.grad.abs().min() > 0
    assert real.grad is None


@pytest.mark.parametrize("name", GANS)
def test_large_logits_overflow_nowhere(name):
    for size in (1e4, -1e4):
        real, fake = (torch.full((4, 1), x, requires_grad=True) for x in (size, -size))
        terms = [GANS[name].generator(real, fake), *GANS[name].discriminator(real, fake)]
        sum(terms).backward()
        assert all(value.isfinite().all() for value in (*terms, real.grad, fake.grad))


def everything(gan, real: Tensor, fake: Tensor) -> list[Tensor]:
    return [gan.generator(real, fake), *gan.discriminator(real, fake), *gan.margins(real, fake)]


@pytest.mark.parametrize("name", GANS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(name, dtype):
    real, fake = random_logits((64, 1), dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = everything(GANS[name], real, fake)
    expected = everything(GANS[name], real.float(), fake.float())
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "real_margins", "fake_margins"),
    [
        ("standard", [2.0, -1.0], [0.5, -3.5]),
        ("hinge", [2.0, -1.0], [0.5, -3.5]),
        ("least squares", [1.5, -1.5], [0.0, -4.0]),
        ("exact", [3.5, 0.5], [0.0, -4.0]),
        ("detached", [3.5, 0.5], [0.0, -4.0]),
    ],
)
def test_margins_by_hand(name, real_margins, fake_margins):
    found = GANS[name].margins(column(2.0, -1.0), column(0.5, -3.5))
    assert [margins.squeeze(1).tolist() for margins in found] == [real_margins, fake_margins]


@pytest.mark.parametrize("name", GANS)
def test_a_step_of_the_discriminator_tells_real_from_fake_better(name):
    real, fake = column(0.25, 0.25), column(0.25, 0.25)
    sum(GANS[name].discriminator(real, fake)).backward()
    before = GANS[name].margins(real, fake)
    after = GANS[name].margins(real - 0.1 * real.grad, fake - 0.1 * fake.grad)
    assert (after[0] > before[0]).all()
    assert (after[1] < before[1]).all()
