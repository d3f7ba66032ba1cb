"""What the figures of a GAN stage say about its health, in words."""

from collections.abc import Mapping

# Healthy runs of ESRGAN log discriminator losses of 0.05 to 0.9 in sum, and gaps between the mean
# logits of about 1 to 6 (logs in issues 160 and 204 of BasicSR).
_SATURATED_ACCURACY = 0.995
_SATURATED_LOSS = 0.01
_DEAD_SHARE = 1e-4


def gan_concerns(values: Mapping[str, float]) -> dict[str, str]:
    """Warnings by a short name; empty where all is well.

    Args:
        values: means over an interval, as they are logged.
    """
    concerns = {}
    loss = values["train/discriminator_real"] + values["train/discriminator_fake"]
    accuracy, gap = values["train/discriminator_accuracy"], values["train/logit_gap"]
    if accuracy > _SATURATED_ACCURACY and loss < _SATURATED_LOSS:
        concerns["discriminator saturated"] = (
            f"the discriminator tells {accuracy:.1%} of the images apart with a loss of {loss:.1e} "
            f"(its logits lie {gap:.1f} apart): the generator learns little from it any more. If "
            "this lasts, lower training.adversary.optimizer.lr, choose a smaller or a "
            "spectral-norm discriminator (discriminator=vgg_spectral), or use more data"
        )
    share = values.get("train/adversarial_share")
    if share is not None and share < _DEAD_SHARE:
        concerns["adversarial gradient dead"] = (
            f"the adversarial term makes up {share:.1e} of the gradient at the generator's output: "
            "it decides nothing. If this lasts, raise training.adversary.weight, or see whether "
            "the discriminator has saturated (train/discriminator_accuracy, train/logit_gap)"
        )
    return concerns
