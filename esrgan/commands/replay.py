"""Do an iteration again whose update was skipped, and show where its numbers stop being finite.

FILE is what a training kept of it: experiments/NAME/skipped/iteration_N.pt, with its samples, their
batch, the settings and the weights. Nothing is written.

example: replay.py experiments/esrgan/skipped/iteration_00061234.pt --precision 32-true
"""

import math
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esrgan.errors import listed, report_errors

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from esrgan.training.replaying import Replayed
    from esrgan.training.stage import Stage


def main(argv: Sequence[str] | None = None) -> int:
    return report_errors(lambda: _run(parse_arguments(argv)))


def parse_arguments(argv: Sequence[str] | None) -> Namespace:
    """The file, and what is to be other than it was in the training."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE")
    text = "as 32-true, to see whether the same is finite in it; default: that of the training"
    parser.add_argument("--precision", metavar="FORMAT", help=text)
    text = "cpu, gpu or auto; default: auto"
    parser.add_argument("--accelerator", default="auto", metavar="NAME", help=text)
    return parser.parse_args(argv)


def _run(arguments: Namespace) -> None:
    kept = _read(arguments.file)

    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    from esrgan.hardware import require_accelerator
    from esrgan.hydra_errors import plain_errors
    from esrgan.training import quieten_lightning
    from esrgan.training.replaying import replay

    cfg = OmegaConf.create(kept["settings"])
    require_accelerator(arguments.accelerator)
    quieten_lightning()
    precision = arguments.precision or cfg.precision
    with plain_errors():
        trainer = partial(
            instantiate,
            cfg.trainer,
            accelerator=arguments.accelerator,
            devices=1,
            num_nodes=1,
            strategy="auto",
            precision={"precision": precision, "accelerator": arguments.accelerator},
            logger=False,
        )
        replayed = replay(_stage(cfg, kept), kept["batch"], make_trainer=trainer)
    sys.stdout.write("\n".join(_report(kept, replayed, precision=precision)) + "\n")


def _read(path: Path) -> dict[str, Any]:
    import torch

    wrong = ValueError(f"{path} must be a file that a training kept in experiments/NAME/skipped")
    if not path.is_file():
        raise wrong
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of whatever kind torch finds for a file that is none of its own
        raise wrong from error
    if not isinstance(kept, dict) or not {"iteration", "samples", "batch", "settings"} <= set(kept):
        raise wrong
    return kept


def _stage(cfg: "DictConfig", kept: dict[str, Any]) -> "Stage":
    from hydra.utils import instantiate

    from esrgan.commands.first_weights import continued_generator

    generator = continued_generator(cfg, kept)
    stage: Stage = instantiate(cfg.training, generator=generator, _convert_="all")
    for name, network in stage.networks.items():
        network.load_state_dict(kept[name])
    stage.iteration = kept["iteration"] - 1
    return stage


def _report(kept: Mapping[str, Any], replayed: "Replayed", *, precision: str) -> Iterator[str]:
    iteration, weights_of = kept["iteration"], kept["weights_of"]
    yield f"iteration {iteration}, in {precision}, with the weights after iteration {weights_of}"
    samples = [f"{number} ({image})" for number, image in kept["samples"].items()]
    yield f"{len(samples)} samples: {listed(samples)}"
    for name, value in replayed.values.items():
        yield f"  {name:28}{value:12.5g}{'' if math.isfinite(value) else '   not finite'}"
    if replayed.layer:
        yield f"the first layer whose output is not finite: {replayed.layer}"
    for network, weights in replayed.gradients.items():
        if weights:
            yield f"gradients of the {network} that are not finite: {listed(weights)}"
    if replayed.skipped:
        yield f"it is skipped again: {' and '.join(replayed.skipped)}"
    else:
        yield "all is finite: with these weights and in this precision it is not skipped"
