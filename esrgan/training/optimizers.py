"""What optimizers of any package need: their names in errors, a switch that some have, their state.

A schedule-free optimizer (arXiv:2405.15682) trains at other weights than those that are to be used,
which are an average, and has methods `train()` and `eval()` to go from one to the other.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


@contextmanager
def naming(part: str, make: Callable[..., object]) -> Iterator[None]:
    """Say of which setting PyTorch, or the package of an optimizer, speaks."""
    try:
        yield
    except Exception as error:  # packages have kinds of their own
        values: Mapping[str, object] = getattr(make, "keywords", {})
        text = str(error)
        if any(text.startswith(f"{name} (") for name in values):
            raise ValueError(f"{part}.{text}") from error
        named = (name for name, value in values.items() if text.endswith(f": {value}"))
        name = next(named, None)
        where = part if name is None else f"{part}.{name} ({values[name]})"
        raise ValueError(f"{where}: {text}") from error


def has_a_switch(optimizer: Optimizer) -> bool:
    """Whether it trains at other weights than those that are to be used."""
    return all(callable(getattr(optimizer, name, None)) for name in ("train", "eval"))


def trains(optimizer: Optimizer) -> Optimizer:
    """The optimizer, switched to training: some begin otherwise."""
    if has_a_switch(optimizer):
        optimizer.train()  # type: ignore[attr-defined] # only some have it
    return optimizer


@contextmanager
def as_used(optimizer: Optimizer, weights: Sequence[Tensor]) -> Iterator[None]:
    """Inside, the weights are those to be used; after, in every bit, those to be trained at.

    The optimizer's own way back rounds: whoever looked at the weights would change the run.
    """
    if not has_a_switch(optimizer):
        yield
        return
    switch: Any = optimizer
    before = [weight.detach().clone() for weight in weights]
    switch.eval()
    try:
        yield
    finally:
        switch.train()
        with torch.no_grad():
            torch._foreach_copy_(list(weights), before)


def continued_groups(optimizer: Optimizer, saved: Mapping[str, Any]) -> dict[str, Any]:
    """The state of before with the settings that an optimizer has now.

    What groups hold besides settings, as the count of steps that some packages keep there, is
    state.
    """
    settings = {*inspect.signature(type(optimizer)).parameters, "params", "lr", "initial_lr"}
    own: list[dict[str, Any]] = optimizer.state_dict()["param_groups"]
    groups = [
        group | {key: value for key, value in before.items() if key not in settings}
        for group, before in zip(own, saved["param_groups"], strict=True)
    ]
    return {"state": saved["state"], "param_groups": groups}


def step_where(optimizer: Optimizer, finite: Tensor) -> None:
    """Step, if a scalar boolean on the device is true."""
    if getattr(optimizer, "_step_supports_amp_scaling", False):
        # A fused optimizer reads this flag on the device and then changes nothing, not even its
        # step count: it is how torch.amp.GradScaler skips an update.
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        optimizer.step()
    elif bool(finite):
        optimizer.step()
