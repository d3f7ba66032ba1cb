"""The generator's passes as one CUDA graph, which a GPU goes through without its host."""

from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import Trainer
from torch import Tensor, nn

from esrgan.training.learner import Buffers
from esrgan.training.stage import Stage


class RecordedPasses:
    """A network whose passes, forward and back, are recorded at the first call and then repeated.

    A GPU waits for its host where hundreds of small convolutions are started one by one; those of a
    graph are started at once. They are the same kernels on the same memory. What comes out of a
    call is written over by the next one, so that a step may call it once.

    Args:
        network: in training mode, on a GPU. It is itself left as it is.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._recorded: Callable[[Tensor], Any] | None = None

    def __call__(self, images: Tensor) -> Tensor:
        """The network's output for images of the one size that there is."""
        if self._recorded is None:
            self._recorded = self._record(images)
        output: Tensor = self._recorded(images)
        return output

    def _record(self, images: Tensor) -> Callable[[Tensor], Any]:
        statistics = Buffers(self.network)  # which the passes that warm it up move, too
        statistics.keep()
        autocast = torch.autocast(
            "cuda",
            torch.get_autocast_dtype("cuda"),
            enabled=torch.is_autocast_enabled("cuda"),
            cache_enabled=False,  # weights are cast anew in each pass: they change in between
        )
        with autocast, torch.enable_grad():
            recorded = torch.cuda.make_graphed_callables(
                _Passes(self.network), (torch.zeros_like(images),), allow_unused_input=True
            )
        statistics.restore_unless(torch.tensor(False, device=images.device))
        return recorded


class _Passes(nn.Module):
    """PyTorch puts the recorded passes in the place of this module's, and not of the network's."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.network(images)
        return output


def record_generator(stage: Stage, trainer: Trainer) -> None:
    """Let the generator's passes in the steps of a stage be recorded when they first run.

    Raises:
        ValueError: it is not one GPU that trains, or a step has several passes.
    """
    device = trainer.strategy.root_device
    if device.type != "cuda":
        raise ValueError(
            f"cuda_graph=true needs a GPU of NVIDIA's; this run would train on {device.type}: "
            "cuda_graph=false trains there"
        )
    if trainer.world_size > 1:
        raise ValueError(
            f"cuda_graph=true is for one process, and this run has {trainer.world_size}: give "
            "cuda_graph=false"
        )
    if stage.num_micro_batches > 1:
        raise ValueError(
            "cuda_graph=true needs training.num_micro_batches=1 (it is "
            f"{stage.num_micro_batches}): the gradients of a second pass would be written over "
            "those of the first"
        )
    stage.recorded = RecordedPasses(stage.generator)
