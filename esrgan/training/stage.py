"""What the stages of a training have in common: everything but their steps."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils import deterministic

from esrgan.training.batch_norm import synchronise_batch_norm
from esrgan.training.learner import FiniteGuard, Learner, MakeOptimizer, MakeSchedule
from esrgan.types import Batch, Prepared

Values = dict[str, Tensor]
"""Scalars on the device, by the names they are logged under."""

Prepare = Callable[[Any, torch.dtype], Prepared]
"""Makes of a batch that the data set yields, on the device, images in a number format."""

TrainingState = dict[str, Any]


def from_bytes(batch: Batch, dtype: torch.dtype) -> Prepared:
    """A batch whose images only have to become numbers in [0, 1]."""
    return Prepared(_to_float(batch["lq"], dtype), _to_float(batch["gt"], dtype))


def _to_float(images: Tensor, dtype: torch.dtype) -> Tensor:
    # A view: bytes stored with the channels last are what channels_last means.
    return images.permute(0, 3, 1, 2).to(dtype) / 255


class Stage(LightningModule):
    """A generator in training: how it is set up, what a step begins and ends with, its state.

    An iteration is one batch, whatever its micro-batches. The optimization is manual in Lightning's
    terms, because an update must be taken or skipped on the device, and because that of a GAN has
    to be: so all stages work the same way.

    Args:
        generator: maps lq to sr, (N, 3, H, W) in [0, 1].
        losses: name to loss (sr, gt); None leaves the term out. Each is logged under its name.
        optimizer: completed with the generator's parameters.
        schedule: completed with the optimizer; counts iterations.
        ema_decay: how much of the EMA of the generator stays per iteration; None: there is no EMA,
            but that a schedule-free optimizer's average stands in its place.
        ema_warmup: whether less of it stays at first, as in `Learner`.
        guard: takes the generator's updates, unless a gradient is not finite.
        num_micro_batches: parts that a batch is computed in, one after the other, to save memory.
        seed: every random number of a step follows from it, the iteration and the rank.
        prepare: makes images of a batch; `sharpens` says that a sharpened gt is among them.

    Raises:
        ValueError: a number is out of range, there is no loss, or one that compares with a
            sharpened gt which nobody makes, or with an EMA that is not there.
    """

    def __init__(  # noqa: PLR0913 # all that a training is made of
        self,
        *,
        generator: nn.Module,
        losses: Mapping[str, nn.Module | None],
        optimizer: MakeOptimizer,
        schedule: MakeSchedule,
        ema_decay: float | None,
        guard: FiniteGuard,
        num_micro_batches: int,
        seed: int,
        prepare: Prepare = from_bytes,
        ema_warmup: bool = True,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        if num_micro_batches < 1:
            raise ValueError(f"training.num_micro_batches ({num_micro_batches}) must be at least 1")
        if all(loss is None for loss in losses.values()):
            raise ValueError("training.losses has no term: at least one must not be null")
        for name, loss in losses.items():
            if wants_sharpened(loss) and not getattr(prepare, "sharpens", False):
                raise ValueError(
                    f"training.losses.{name}.sharpened_gt is true, but prepare makes no sharpened "
                    "gt: give prepare=sharpened_pairs for given pairs, prepare=degrade where they "
                    "are made, or sharpened_gt=false"
                )
        self.learner = Learner(
            generator,
            optimizer=optimizer,
            schedule=schedule,
            guard=guard,
            ema_decay=ema_decay,
            ema_warmup=ema_warmup,
        )
        for name, loss in losses.items():
            if needs_average(loss) and self.ema is None:
                raise ValueError(
                    f"training.losses.{name} compares with the EMA of the generator, and there is "
                    "none: give training.ema_decay=0.999, or leave the loss out"
                )
        self.losses = nn.ModuleDict({k: v for k, v in losses.items() if v is not None})
        self.num_micro_batches, self.seed, self.prepare = num_micro_batches, seed, prepare
        self.iteration = 0
        self.recorded: Callable[[Tensor], Tensor] | None = None

    def enlarge(self, images: Prepared) -> Tensor:
        """The generator's sr of a part of a batch, in the number format of the gt.

        The losses are computed in full precision. A GPU may do it by what it has `recorded`.
        """
        generate = self.generator if self.recorded is None else self.recorded
        sr: Tensor = generate(images.lq)
        return sr.to(images.gt.dtype)

    def average(self, images: Prepared) -> tuple[Tensor, ...]:
        """What the EMA makes of a part of a batch, if a loss compares with it."""
        if self.ema is None or not any(map(needs_average, self.losses.values())):
            return ()
        with torch.no_grad():
            averaged: Tensor = self.ema(images.lq)
        return (averaged.to(images.gt.dtype),)

    @property
    def generator(self) -> nn.Module:
        return self.learner.network

    @property
    def ema(self) -> nn.Module | None:
        return self.learner.ema

    @property
    def evaluated(self) -> nn.Module:
        """The network that is validated and released: the EMA, where there is one."""
        return self.generator if self.ema is None else self.ema

    @property
    def learners(self) -> dict[str, Learner]:
        """All that is trained, by the names that checkpoints and messages have for it."""
        return {"generator": self.learner}

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Those of the learners, by the same names."""
        return {name: learner.network for name, learner in self.learners.items()}

    def setup(self, stage: str) -> None:
        # An aid for debugging that deterministic algorithms come with: it costs time
        deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # no stub
        for network in self.networks.values():
            synchronise_batch_norm(network)

    def configure_optimizers(self) -> list[Optimizer]:
        """For Lightning to bring them to the device; the stages step them, and the schedules."""
        return [learner.optimizer for learner in self.learners.values()]

    def begin(self, batch: Batch) -> list[Prepared]:
        """The images of each part of a batch, with the random numbers of this iteration set.

        Raises:
            ValueError: the batch has no `num_micro_batches` equal parts.
        """
        torch.manual_seed(step_seed(self.seed, self.iteration, self.global_rank))
        images = self.prepare(batch, next(self.generator.parameters()).dtype)
        count = self.num_micro_batches
        if len(images.gt) % count:
            raise ValueError(
                f"training.num_micro_batches ({count}) must divide the {len(images.gt)} samples of "
                "a batch"
            )
        chunks = ([None] * count if each is None else each.chunk(count) for each in images)
        return [Prepared(*parts) for parts in zip(*chunks, strict=True)]

    def end(self, values: Values) -> Values:
        """Count the iteration, also for the schedules; returns what is logged of it."""
        for learner in self.learners.values():
            learner.schedule.step()
        self.iteration += 1
        return values

    def warnings(self, values: Mapping[str, float]) -> dict[str, str]:
        """What the figures of an interval say of the health of the training, by short names."""
        return {}

    def training_state(self) -> TrainingState:
        """All that a continued run needs, as plain containers of tensors and numbers."""
        return {
            "iteration": self.iteration,
            "architecture": getattr(self.generator, "architecture", None),
            **{name: network.state_dict() for name, network in self.networks.items()},
            "ema": None if self.ema is None else self.ema.state_dict(),
            "progress": {name: learner.progress() for name, learner in self.learners.items()},
        }

    def load_training_state(self, state: TrainingState, *, changed: bool = False) -> None:
        """Continue from what `training_state` returned, with `changed` settings or as it was.

        An EMA that there was not begins with the weights as they are.
        """
        self.iteration = state["iteration"]
        planned_anew = self.iteration if changed else None
        for name, learner in self.learners.items():
            learner.network.load_state_dict(state[name])
            learner.load_progress(state["progress"][name], planned_anew=planned_anew)
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"] or state["generator"])


def wants_sharpened(loss: nn.Module | None) -> bool:
    """Whether a loss compares with the gt after unsharp masking."""
    return bool(getattr(loss, "sharpened_gt", False))


def needs_average(loss: nn.Module | None) -> bool:
    """Whether a loss compares with what the EMA makes."""
    return bool(getattr(loss, "needs_average", False))


def compare(loss: nn.Module, sr: Tensor, images: Prepared, averaged: tuple[Tensor, ...]) -> Tensor:
    """A loss of sr; `averaged` is what `Stage.average` has returned."""
    value: Tensor = loss(sr, target(loss, images), *(averaged if needs_average(loss) else ()))
    return value


def target(loss: nn.Module, images: Prepared) -> Tensor:
    """The ground truth that a loss compares with."""
    if wants_sharpened(loss):
        assert images.sharp is not None  # the constructor saw to it
        return images.sharp
    return images.gt


def accumulate(values: Values, terms: Mapping[str, Tensor]) -> None:
    """Add terms, without their graphs, to the figures of the parts before."""
    for name, term in terms.items():
        values[name] = values[name] + term.detach() if name in values else term.detach()


def step_seed(seed: int, iteration: int, rank: int) -> int:
    """The seed of one step on one process."""
    mixed = np.random.SeedSequence((seed, iteration, rank)).generate_state(1, np.uint64)
    return int(mixed[0])
