"""What a continued run needs of a stage, as plain containers of tensors and numbers."""

from collections.abc import Mapping
from typing import Any, Protocol

from pytorch_lightning import Trainer
from torch import nn

from esrgan.training.guard import FiniteGuard

TrainingState = dict[str, Any]


class Stage(Protocol):
    """What the stages have in common."""

    iteration: int
    generator: nn.Module
    ema: nn.Module | None

    @property
    def guards(self) -> Mapping[str, FiniteGuard]: ...

    @property
    def trainer(self) -> Trainer: ...


def stage_state(stage: Stage) -> TrainingState:
    return {
        "iteration": stage.iteration,
        "architecture": getattr(stage.generator, "architecture", None),
        "generator": stage.generator.state_dict(),
        "ema": None if stage.ema is None else stage.ema.state_dict(),
        "guards": {name: guard.state_dict() for name, guard in stage.guards.items()},
        "optimizers": [optimizer.state_dict() for optimizer in stage.trainer.optimizers],
        "schedules": [c.scheduler.state_dict() for c in stage.trainer.lr_scheduler_configs],
    }


def load_stage_state(stage: Stage, state: TrainingState) -> None:
    """Continue from what `stage_state` returned; called when the optimizers exist."""
    stage.iteration = state["iteration"]
    stage.generator.load_state_dict(state["generator"])
    if stage.ema is not None:
        stage.ema.load_state_dict(state["ema"])
    for name, guard in stage.guards.items():
        guard.load_state_dict(state["guards"][name])
    for optimizer, values in zip(stage.trainer.optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(values)
    configs = stage.trainer.lr_scheduler_configs
    for config, values in zip(configs, state["schedules"], strict=True):
        config.scheduler.load_state_dict(values)


def fingerprint(network: nn.Module) -> str:
    """Differs, as good as surely, where the weights of two networks differ."""
    weights = network.state_dict().values()
    return repr(sum(float(tensor.double().abs().sum()) for tensor in weights))
