"""The PSNR stage: a generator that minimises its distance to the ground truth (paper, 4.1)."""

import torch

from esrgan.training.learner import Buffers
from esrgan.training.stage import Stage, Values, accumulate
from esrgan.types import Batch


class PSNRTraining(Stage):
    """One update of the generator per iteration; its arguments are those of a `Stage`."""

    def training_step(self, batch: Batch, batch_idx: int) -> Values:
        """Update the weights and their EMA; returns what is logged, on the device."""
        parts = self.begin(batch)
        buffers = Buffers(self.generator)
        self.learner.optimizer.zero_grad()
        values: Values = {}
        for lq, gt in parts:
            sr = self.generator(lq).to(gt.dtype)  # the losses are computed in full precision
            terms = {name: loss(sr, gt) / len(parts) for name, loss in self.losses.items()}
            self.manual_backward(torch.stack(list(terms.values())).sum())
            accumulate(values, terms)
        update = self.learner.update(list(values.values()))
        buffers.restore_unless(update.taken)
        self.learner.update_ema(self.iteration, update.taken)
        return self.end(values | {"gradient_norm": update.norm})
