"""The GAN stage: what ESRGAN adds to the PSNR stage (paper, sections 3.2 and 3.3, equation 3)."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from esrgan.spectral_norm import iterate_spectral_norms
from esrgan.training.averaging import Averaging
from esrgan.training.learner import Learner
from esrgan.training.ranks import gather
from esrgan.training.stage import Stage, Values, accumulate, compare, target
from esrgan.types import Batch, Prepared


class AdversarialLoss(Protocol):
    """What generator and discriminator minimise, given logits of any shape."""

    def generator(self, real: Tensor, fake: Tensor) -> Tensor: ...

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]: ...

    def margins(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]: ...


class AdversarialTerm(nn.Module):
    """An adversarial loss among the generator's losses.

    Args:
        loss: standard, relativistic, ...
        weight: of the generator's term, lambda in the paper (equation 3).
        sharpened_gt: whether what the discriminator takes for real is the gt after unsharp masking.
    """

    def __init__(self, *, loss: AdversarialLoss, weight: float, sharpened_gt: bool = False) -> None:
        super().__init__()
        if not weight > 0:
            raise ValueError(
                f"training.losses.adversarial.weight ({weight}) must be more than 0: without an "
                "adversarial term, train with training=psnr"
            )
        self.loss, self.weight, self.sharpened_gt = loss, weight, sharpened_gt


class GANTraining(Stage):
    """An update of both networks, by gradients at the weights that the iteration began with.

    As the discriminator's weights do not change in between, it judges each image once: one graph
    gives the generator's gradient at sr and then that of the discriminator's weights. In every bit
    they are those of the published code, which judges sr twice and, in a relativistic loss, gt too.
    What passes leave behind is not: BatchNorm's running statistics, which nothing in training
    reads, move once per image. Spectral norms are iterated as often as there.

    The discriminator stays in training mode, so BatchNorm normalises real and generated images
    separately, as in the authors' code. Means over "the batch" are those over all processes; where
    a batch is computed in parts, they are those of a part, and so is BatchNorm: `num_micro_batches`
    saves memory, but only with 1 is the step exactly that of the paper.

    Args:
        discriminator: maps images, (N, 3, H, W) in [0, 1], to logits.
        warmup_iterations: how long only the discriminator is trained at first.
        steps_per_generator_step: how often the discriminator is updated for each update of the
            generator.
        stage: those of a `Stage`; one of its losses is an `AdversarialTerm` called adversarial.

    Raises:
        ValueError: a number is out of range, or there is no adversarial term.
    """

    def __init__(
        self,
        *,
        discriminator: Learner,
        warmup_iterations: int,
        steps_per_generator_step: int,
        **stage: Any,
    ) -> None:
        super().__init__(**stage)
        if "adversarial" not in self.losses:
            raise ValueError(
                "training.losses.adversarial is null: without an adversarial term, train with "
                "training=psnr"
            )
        if warmup_iterations < 0:
            raise ValueError(f"training.warmup_iterations ({warmup_iterations}) must be at least 0")
        if steps_per_generator_step < 1:
            raise ValueError(
                f"training.steps_per_generator_step ({steps_per_generator_step}) must be at least 1"
            )
        adversarial = self.losses.pop("adversarial")
        assert isinstance(adversarial, AdversarialTerm)
        self.adversarial = adversarial
        self.opponent = discriminator
        self.warmup_iterations = warmup_iterations
        self.steps_per_generator_step = steps_per_generator_step

    @property
    def discriminator(self) -> nn.Module:
        return self.opponent.network

    @property
    def learners(self) -> dict[str, Learner]:
        return {"generator": self.learner, "discriminator": self.opponent}

    def training_step(self, batch: Batch, batch_idx: int) -> Values:
        """Update both networks and the EMA; returns what is logged, on the device."""
        parts = self.begin(batch)
        since = self.iteration - self.warmup_iterations
        if since >= 0 and (since + 1) % self.steps_per_generator_step == 0:
            return self.end(self._train_both(parts))
        return self.end(self._train_discriminator(parts))

    def _train_both(self, parts: list[Prepared]) -> Values:
        averaging = self.learner.begin(passes=len(parts))
        opposite_averaging = self.opponent.begin(passes=None)
        values: Values = {}
        opposite: Values = {}
        squares = parts[0].lq.new_zeros(2)  # squared norms of the gradients' two parts at sr
        for images in parts:
            sr = self.enlarge(images)
            leaf = sr.detach().requires_grad_()
            # Each loss sends its gradient as far as the images and is forgotten: VGG and
            # discriminator need their memory one after the other, and the parts can be compared.
            content, terms = self._content_gradient(leaf, images)
            adversarial, term, figures = self._adversarial_gradient(leaf, images)
            accumulate(opposite, figures)
            if images is parts[-1]:  # to travel while the generator's gradient is computed
                opposite_averaging.send(opposite.values())
            torch.autograd.backward([sr], [content + adversarial])
            accumulate(values, terms | {"adversarial": term})
            squares += torch.stack([part.square().sum() for part in (content, adversarial)])
        averaging.send([*values.values(), squares])
        # First the network whose gradient was sent first: the other's is still on its way
        opposite |= self._update_discriminator(opposite_averaging)
        taken, norm = self.learner.update(averaging, iteration=self.iteration)
        of_content, of_adversarial = squares.sqrt().unbind()
        share = of_adversarial / (of_content + of_adversarial)
        values |= {"gradient_norm": norm, "adversarial_share": share, "skipped": ~taken}
        return values | opposite

    def _train_discriminator(self, parts: list[Prepared]) -> Values:
        """Where the generator waits."""
        averaging = self.opponent.begin(passes=None)
        values: Values = {}
        for images in parts:
            with torch.no_grad():
                sr = self.enlarge(images)
            logits = self._logits(target(self.adversarial, images)), self._logits(sr)
            accumulate(values, self._discriminator_gradient(*logits))
        averaging.send(values.values())
        return values | self._update_discriminator(averaging)

    def _update_discriminator(self, averaging: Averaging) -> Values:
        taken, norm = self.opponent.update(averaging, iteration=self.iteration)
        return {"discriminator_gradient_norm": norm, "discriminator_skipped": ~taken}

    def _content_gradient(self, sr: Tensor, images: Prepared) -> tuple[Tensor, Values]:
        """The gradient at sr of all losses but the adversarial one, and these losses."""
        terms = {}
        gradient = torch.zeros_like(sr)
        averaged = self.average(images)
        for name, loss in self.losses.items():
            terms[name] = compare(loss, sr, images, averaged) / self.num_micro_batches
            gradient += torch.autograd.grad(terms[name], sr)[0]
        return gradient, terms

    def _adversarial_gradient(self, sr: Tensor, images: Prepared) -> tuple[Tensor, Tensor, Values]:
        """The weighted adversarial term's gradient at sr, the term, the discriminator's figures."""
        loss = self.adversarial.loss
        real, fake = self._logits(target(self.adversarial, images)), self._logits(sr)
        term = self.adversarial.weight * loss.generator(real.detach(), fake)
        term = term / self.num_micro_batches
        (gradient,) = torch.autograd.grad(term, sr, retain_graph=True)
        iterate_spectral_norms(self.discriminator)
        return gradient, term, self._discriminator_gradient(real, fake)

    def _discriminator_gradient(self, real: Tensor, fake: Tensor) -> Values:
        """Send the discriminator's loss back into its weights, and no further; its figures."""
        real_term, fake_term = self.adversarial.loss.discriminator(real, fake)
        weights = [weight for weight in self.discriminator.parameters() if weight.requires_grad]
        loss = (real_term + fake_term) / self.num_micro_batches
        torch.autograd.backward([loss], inputs=weights)
        values = {"discriminator_real": real_term, "discriminator_fake": fake_term}
        values |= self._figures(real.detach(), fake.detach())
        return {name: value / self.num_micro_batches for name, value in values.items()}

    def _figures(self, real: Tensor, fake: Tensor) -> Values:
        """How the discriminator fares, by its logits."""
        real_margin, fake_margin = self.adversarial.loss.margins(real, fake)
        rights = ((real_margin > 0).to(real.dtype), (fake_margin < 0).to(real.dtype))
        return {
            "logit_real": real.mean(),
            "logit_fake": fake.mean(),
            "logit_gap": real.mean() - fake.mean(),
            "discriminator_accuracy": (rights[0].mean() + rights[1].mean()) / 2,
        }

    def _logits(self, images: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(images)
        return gather(logits.to(images.dtype))  # the losses are computed in full precision

    def warnings(self, values: Mapping[str, float]) -> dict[str, str]:
        return gan_warnings(values)


# Healthy runs of ESRGAN log discriminator losses of 0.05 to 0.9 in sum, and gaps between the mean
# logits of about 1 to 6 (logs in issues 160 and 204 of BasicSR).
_SATURATED_ACCURACY = 0.995
_SATURATED_LOSS = 0.01
_DEAD_SHARE = 1e-4


def gan_warnings(values: Mapping[str, float]) -> dict[str, str]:
    """What is wrong with the health of a GAN, in words, by a short name; empty where all is well.

    Args:
        values: means over an interval, as they are logged.
    """
    warnings = {}
    loss = values["train/discriminator_real"] + values["train/discriminator_fake"]
    accuracy, gap = values["train/discriminator_accuracy"], values["train/logit_gap"]
    if accuracy > _SATURATED_ACCURACY and loss < _SATURATED_LOSS:
        warnings["discriminator saturated"] = (
            f"the discriminator tells {accuracy:.1%} of the images apart with a loss of {loss:.1e} "
            f"(its logits lie {gap:.1f} apart): the generator learns little from it any more. If "
            "this lasts, lower training.discriminator.optimizer.lr, choose a smaller or a "
            "spectral-norm discriminator (discriminator=vgg_spectral), or use more data"
        )
    share = values.get("train/adversarial_share")
    if share is not None and share < _DEAD_SHARE:
        warnings["adversarial gradient dead"] = (
            f"the adversarial term makes up {share:.1e} of the gradient at the generator's output: "
            "it decides nothing. If this lasts, raise training.losses.adversarial.weight, or see "
            "whether the discriminator has saturated (train/discriminator_accuracy, "
            "train/logit_gap)"
        )
    return warnings
