"""Networks and losses as PyTorch's compiler makes them, for the one size that is trained on."""

import logging
import time
from collections.abc import Mapping

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from esrgan.spectral_norm import has_spectral_norm
from esrgan.training.stage import Stage

logger = logging.getLogger(__name__)

_MODES = {
    "True": "default",
    # CUDA graphs would write over what a network returned where it is called twice in a step
    "max-autotune": "max-autotune-no-cudagraphs",
}


def compile_parts(stage: Stage, choice: bool | str, *, device: torch.device) -> None:
    """Let networks and losses be compiled when they are first called; their names stay.

    The EMA is not: what is validated is computed as ever, at the sizes of whole images. Nor is a
    network with spectral normalisation: of u and v, which each pass moves, the compiled backward
    pass would keep no copies.

    Args:
        stage: before or after it was brought to its device.
        choice: the setting `compile`.
        device: where it will train.

    Raises:
        ValueError: there is no compiler.
    """
    if not choice:
        return
    _try_compiler(device)
    # The discriminator's graph is gone through twice: for the images, and for its weights
    torch._functorch.config.donated_buffer = False
    parts = list(stage.losses.values())
    for name, network in stage.networks.items():
        if has_spectral_norm(network):
            logger.info("the %s is not compiled: it has spectral normalisation", name)
        else:
            parts.append(network)
    for part in parts:
        part.compile(mode=_MODES[str(choice)], dynamic=False)


def _try_compiler(device: torch.device) -> None:
    """On something small: what is missing shows before anything is written."""
    try:
        torch.compile(_doubled, dynamic=False)(torch.ones(64, device=device))
    except RuntimeError as error:
        reason = next(filter(None, str(error).splitlines()), type(error).__name__)
        raise ValueError(
            f"PyTorch cannot compile the networks ({reason}): that takes a C++ compiler, and on a "
            "GPU Triton; compile=false trains without"
        ) from error


def _doubled(values: torch.Tensor) -> torch.Tensor:
    return values + values


class FirstIteration(Callback):
    """Says how long the first iteration of a compiled training took."""

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Mapping[str, torch.Tensor],
        batch_idx: int,
    ) -> None:
        self._begin = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: Mapping[str, torch.Tensor],
        batch_idx: int,
    ) -> None:
        if batch_idx == 0:
            seconds = time.perf_counter() - self._begin
            logger.info("the first iteration took %.0f s, most of it to compile", seconds)
