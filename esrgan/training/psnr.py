"""The PSNR stage: a generator that minimises its distance to the ground truth (paper, 4.1)."""

import torch

from esrgan.training.stage import Stage, Values, accumulate, compare
from esrgan.types import Batch


class PSNRTraining(Stage):
    """One update of the generator per iteration; its arguments are those of a `Stage`."""

    def training_step(self, batch: Batch, batch_idx: int) -> Values:
        """Update the weights and their EMA; returns what is logged, on the device."""
        parts = self.begin(batch)
        averaging = self.learner.begin(passes=len(parts))
        values: Values = {}
        for images in parts:
            sr = self.enlarge(images)
            averaged = self.average(images)
            terms = {
                k: compare(loss, sr, images, averaged) / len(parts)
                for k, loss in self.losses.items()
            }
            self.manual_backward(torch.stack(list(terms.values())).sum())
            accumulate(values, terms)
        averaging.send(values.values())
        taken, norm = self.learner.update(averaging, iteration=self.iteration)
        return self.end(values | {"gradient_norm": norm, "skipped": ~taken})
