"""Write a trained network for other programs, and check what was written.

SOURCE is weights (.pth, .safetensors, a checkpoint) or the folder of a run, which stands for its
newest release or checkpoint. What the output's name ends in says what is written:

  .safetensors  weights; the recipe, the metrics and the architecture are in its metadata
  .pth          the same for programs that read nothing else: BasicSR, Real-ESRGAN, upscalers
  .onnx         a program: `lq` in, `sr` out, RGB in [0, 1], (N, 3, H, W), of any size; with
                --no-padding of multiples only (x2: of 2, x1: of 4), for programs that convert it

What other programs cannot see in a file of weights (BatchNorm, another residual scaling, fewer
growth channels, another activation) is computed into the weights, so that they read the same
network; --as-trained leaves it. --layout gives RRDB's layers the names that a program expects:
basicsr (today's, also Real-ESRGAN's), esrgan (the ESRGAN repository, BSRGAN) or 2018 (the first
release).

example: export.py experiments/esrgan --output esrgan.safetensors
"""

import sys
from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from esrgan.errors import report_errors
from esrgan.files import check_target
from esrgan.runs import RunFolder, find_weights

if TYPE_CHECKING:
    from esrgan.weights import Generator

_SUFFIXES = (".safetensors", ".pth", ".onnx")
LAYOUTS = ("basicsr", "esrgan", "2018")
"""Of keys; `esrgan.weights.KEY_LAYOUTS` has the same, behind seconds of imports."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What is asked for; None: the choice is left open."""

    source: str
    output: Path
    layout: str | None
    half: bool
    scale: int | None
    no_padding: bool
    as_trained: bool
    weights: str | None
    overwrite: bool


def main(argv: Sequence[str] | None = None) -> int:
    return report_errors(lambda: _export(_parse_arguments(argv)))


def _parse_arguments(argv: Sequence[str] | None) -> Arguments:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("source", metavar="SOURCE")
    add("--output", type=Path, required=True, metavar="FILE", help=" or ".join(_SUFFIXES))
    add("--layout", choices=LAYOUTS, help="names of the layers; default: basicsr")
    add("--dialect", dest="layout", choices=LAYOUTS, help=SUPPRESS)  # its earlier name
    add("--half", action="store_true", help="float16 in the file, for half its size")
    add("--scale", type=int, metavar="N", help="3, where an older file of RRDB does not tell")
    add("--no-padding", action="store_true", help="for .onnx of x2 and x1: take multiples only")
    add("--as-trained", action="store_true", help="the network of the run, whoever reads it")
    add("--weights", choices=("ema", "raw"), help="of a checkpoint that has both; default: ema")
    add("--overwrite", action="store_true", help="write over an earlier file")
    return Arguments(**vars(parser.parse_args(argv)))


def _export(arguments: Arguments) -> None:
    _check_arguments(arguments)
    source = _find_source(arguments.source, weights=arguments.weights)
    output = arguments.output
    if output.exists() and output.samefile(source):
        raise ValueError(f"{source} is what is exported: choose another --output")
    # Not before: torch takes seconds, which --help and a mistake need not wait for
    from esrgan.weights import architecture_of

    network, metadata = _read_network(source, weights=arguments.weights, scale=arguments.scale)
    architecture = architecture_of(network)
    if arguments.layout and architecture["network"] != "RRDBNet":
        name = architecture["network"]
        raise ValueError(f"--layout is for RRDBNet: the layers of {name} have one set of names")
    count = sum(parameter.numel() for parameter in network.parameters())
    form = ", ".join(f"{name} {value}" for name, value in architecture.items())
    print(f"{source}: {count:,} parameters, {form}")
    output.parent.mkdir(parents=True, exist_ok=True)
    write = _write_program if output.suffix == ".onnx" else _write_weights
    about = write(network, metadata, arguments)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, {about}")


def _write_program(network: "Generator", metadata: dict[str, str], arguments: Arguments) -> str:
    """Returns what there is to say of the file."""
    from esrgan.weights import multiple_of, save_onnx

    padding, overwrite = not arguments.no_padding, arguments.overwrite
    difference = save_onnx(
        arguments.output, network, metadata=metadata, padding=padding, overwrite=overwrite
    )
    multiple = 1 if padding else multiple_of(network)
    sides = f", sides that are multiples of {multiple}" if multiple > 1 else ""
    return f"float32{sides}, at most {difference:.1e} from PyTorch's output"


def _write_weights(network: "Generator", metadata: dict[str, str], arguments: Arguments) -> str:
    """Returns what there is to say of the file."""
    import torch

    from esrgan.weights import (
        KEY_LAYOUTS,
        note_for_others,
        portable,
        save_release,
        unseen_by_others,
    )

    output = arguments.output
    written = network if arguments.as_trained else portable(network)
    dtype = torch.float16 if arguments.half else torch.float32
    layout = KEY_LAYOUTS[arguments.layout or "basicsr"]
    save_release(
        output,
        written,
        metadata=metadata,
        layout=layout,
        dtype=dtype,
        overwrite=arguments.overwrite,
    )
    if written is not network:
        settings = ", ".join(unseen_by_others(network))
        print(f"computed into the weights, because other programs do not see it: {settings}")
    if said := note_for_others(written, name=output.name):
        sys.stderr.write(f"note: {said}\n")
    return str(dtype).removeprefix("torch.")


def _check_arguments(arguments: Arguments) -> None:
    output = arguments.output
    check_target(output, overwrite=arguments.overwrite, suffixes=_SUFFIXES)
    if output.suffix != ".onnx":
        if arguments.no_padding:
            raise ValueError(f"--no-padding has no effect on {output.suffix}: it is for .onnx")
        if RunFolder(output.parent).checkpoints.is_dir():
            raise ValueError(
                f"{output.parent.resolve()} is the folder of a run, which would then stand for "
                f"{output.name}: choose another folder"
            )
    elif arguments.layout:
        raise ValueError("--layout has no effect on .onnx: what runs it does not read the names")
    elif arguments.as_trained:
        raise ValueError("--as-trained has no effect on .onnx: a program is whole as it is")
    elif arguments.half:
        raise ValueError(
            "--half is for weights: an .onnx file is checked against PyTorch to 1e-4, which "
            "float16 cannot hold. What runs it (TensorRT, DirectML, …) can convert it itself"
        )


def _find_source(word: str, *, weights: str | None) -> Path:
    """A run's release has one set of weights: where one is to be chosen, it is its checkpoint's."""
    if weights is None or not Path(word).is_dir():
        return find_weights(word)
    checkpoint = RunFolder(Path(word)).newest_sound_checkpoint()
    if checkpoint is None:
        raise ValueError(
            f"{word} has no checkpoint, or a damaged one, in which weights could be chosen"
        )
    return checkpoint


def _read_network(
    source: Path, *, weights: str | None, scale: int | None
) -> tuple["Generator", dict[str, str]]:
    """The network, and what its file says of it."""
    import torch

    from esrgan.weights import EMA, RAW, generator_in, read_weights_file

    file = read_weights_file(source)
    if weights is None:
        return generator_in(file, scale=scale), file.describe()
    ema, raw = (generator_in(file, part=part, scale=scale) for part in (EMA, RAW))
    others = raw.state_dict()
    if all(torch.equal(tensor, others[key]) for key, tensor in ema.state_dict().items()):
        raise ValueError(f"{source} has one set of weights: --weights has nothing to choose from")
    metadata = file.describe()
    if weights == "raw":
        metadata.pop("metrics", None)  # they are the average's: the raw weights are not validated
    return (raw if weights == "raw" else ema), metadata
