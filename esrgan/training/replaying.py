"""An iteration done again, to see where its numbers stop being finite."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from pytorch_lightning import Callback, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from esrgan.training.stage import Stage


class Replayed(NamedTuple):
    """What an iteration came to.

    Attributes:
        values: what it would have logged.
        skipped: the networks whose update it skips.
        layer: the first whose output is not finite, and what it was given; "": all are finite.
        gradients: for each network the weights whose gradient is not finite.
    """

    values: dict[str, float]
    skipped: list[str]
    layer: str
    gradients: dict[str, list[str]]


def replay(stage: Stage, batch: object, *, make_trainer: Callable[..., Trainer]) -> Replayed:
    """Do one iteration of a stage that has the weights and the `iteration` of before it.

    `make_trainer` is completed with callbacks.
    """
    outcome = _Outcome()
    with _watching(stage) as found:
        # a list has all that is asked of a data set
        loader = DataLoader([batch], batch_size=None, collate_fn=_as_it_is)  # type: ignore[arg-type,var-annotated]
        make_trainer(callbacks=[outcome]).fit(stage, loader)
    values = {k: float(v) for k, v in outcome.values.items() if v.is_floating_point()}
    names = {"skipped": "generator", "discriminator_skipped": "discriminator"}
    skipped = [network for key, network in names.items() if outcome.values.get(key, False)]
    gradients = {
        network: [
            name
            for name, weight in trained.named_parameters()
            if weight.grad is not None and not weight.grad.isfinite().all()
        ]
        for network, trained in stage.networks.items()
    }
    return Replayed(values, skipped, found[0] if found else "", gradients)


def _as_it_is(batch: object) -> object:
    return batch


class _Outcome(Callback):
    """Keeps what the step returned."""

    def __init__(self) -> None:
        self.values: dict[str, Tensor] = {}

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: object,
        outputs: Any,  # noqa: ANN401
        batch: object,
        batch_idx: int,
    ) -> None:
        self.values = dict(outputs)


@contextmanager
def _watching(stage: Stage) -> Iterator[list[str]]:
    """The layers whose outputs are not finite, in their order, while the block computes."""
    found: list[str] = []

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(layer: nn.Module, given: Any, output: Any) -> None:  # noqa: ANN401
            if isinstance(output, Tensor) and not output.isfinite().all():
                finite = [x for x in given if isinstance(x, Tensor)]
                largest = max((float(x.detach().abs().max()) for x in finite), default=0.0)
                found.append(f"{name} ({type(layer).__name__}), given values up to {largest:.3g}")

        return hook

    with ExitStack() as hooks:
        for part, network in {**stage.networks, "losses": stage.losses}.items():
            for name, layer in network.named_modules():
                if not any(layer.children()):
                    handle = layer.register_forward_hook(watch(f"{part}.{name}"))
                    hooks.callback(handle.remove)
        yield found
