"""What generator and discriminator minimise against each other.

Every class has the same three names, so that a stage can be handed any of them:

- `generator(real, fake)`: the generator's term. No gradient flows into `real`;
- `discriminator(real, fake)`: the discriminator's terms for real and for fake images, whose sum it
  minimises;
- `margins(real, fake)`: what it decides by, one number for each logit, in that order: images with
  a positive margin are taken for real.

`real` and `fake` are the discriminator's outputs before any sigmoid, C(x), in any shape: (N, 1), or
(N, 1, H, W) of one that judges every pixel. All means are over all their elements; where a batch is
spread over several devices, hand in the logits of the whole batch. The terms are computed in
float32 at least.
"""

from torch import Tensor
from torch.nn import functional as F

from esrgan.precision import precise


class StandardGAN:
    """The logits are log odds of an image being real (arXiv:1406.2661).

    With s the sigmoid, the discriminator minimises -mean log s(C(real)) - mean log(1 - s(C(fake))),
    the generator -mean log s(C(fake)): the form of section 3 that gives a gradient from the start.
    """

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return _called_real(fake)

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return _called_real(real), _called_fake(fake)

    def margins(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return precise(real), precise(fake)


class RelativisticAverageGAN:
    """Whether real images look more real than fake ones do on average, and the reverse.

    With s the sigmoid and D(a, b) = s(C(a) - mean C(b)), the paper has (equations 1 and 2)

        discriminator: -mean log D(real, fake) - mean log(1 - D(fake, real))
        generator:     -mean log(1 - D(real, fake)) - mean log D(fake, real)

    Here, as in the authors' code, every term is halved. The published weight of the generator's
    term, 5e-3, belongs to this code: in the paper's equations the same training has 2.5e-3.

    Args:
        detach_means: take the means of the discriminator's terms for constants, as BasicSR has done
            since August 2020. False is the gradient of the equations. The generator's term is
            the same in both: its gradient flows through the mean, too.
    """

    def __init__(self, *, detach_means: bool) -> None:
        self.detach_means = detach_means

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        real_margin, fake_margin = self.margins(real.detach(), fake)
        return (_called_fake(real_margin) + _called_real(fake_margin)) / 2

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        if self.detach_means:
            real_margin, _ = self.margins(real, fake.detach())
            _, fake_margin = self.margins(real.detach(), fake)
        else:
            real_margin, fake_margin = self.margins(real, fake)
        return _called_real(real_margin) / 2, _called_fake(fake_margin) / 2

    def margins(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        real, fake = precise(real), precise(fake)
        return real - fake.mean(), fake - real.mean()


class LeastSquaresGAN:
    """Squared distances of the logits from 1 for real and from 0 for fake images.

    Neither term is halved, as in BasicSR; arXiv:1611.04076 halves all three.
    """

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return (precise(fake) - 1).square().mean()

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return (precise(real) - 1).square().mean(), precise(fake).square().mean()

    def margins(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return precise(real) - 0.5, precise(fake) - 0.5


class HingeGAN:
    """The discriminator pushes logits past 1 and -1, the generator up without an end.

    generator: -mean C(fake); discriminator: mean max(0, 1 - C(real)), mean max(0, 1 + C(fake))
    (arXiv:1705.02894).
    """

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return -precise(fake).mean()

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return F.relu(1 - precise(real)).mean(), F.relu(1 + precise(fake)).mean()

    def margins(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return precise(real), precise(fake)


def _called_real(logits: Tensor) -> Tensor:
    """-mean log s(logits): the cross entropy of being called real."""
    return -F.logsigmoid(precise(logits)).mean()


def _called_fake(logits: Tensor) -> Tensor:
    """-mean log(1 - s(logits)): the cross entropy of being called fake."""
    return -F.logsigmoid(-precise(logits)).mean()
