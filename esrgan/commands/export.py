"""Write a trained network for other programs, and check what was written.

SOURCE is weights (.pth, .safetensors, a checkpoint) or the folder of a run, which stands for its
newest release or checkpoint. What the output's name ends in says what is written:

  .safetensors  weights; the recipe, the metrics and the architecture are in its metadata
  .pth          the same for programs that read nothing else: BasicSR, Real-ESRGAN, upscalers
  .onnx         a program: `input`, `output`, RGB in [0, 1], (N, 3, H, W), of any size; with
                --no-padding of multiples only (x2: of 2, x1: of 4), for programs that convert it,
                with --shape 1x3x256x256 of that one; --half computes in float16
  .param        a program for ncnn, as Upscayl takes it: NAME-x4.param, with the scale in its name,
                and its weights in NAME-x4.bin, float16 unless --fp32 is given

What other programs cannot see in a file of weights (BatchNorm, another residual scaling, fewer
growth channels, another activation) is computed into the weights, so that they read the same
network; --as-trained leaves it. --layout gives RRDB's layers the names that a program expects:
basicsr (today's, also Real-ESRGAN's), esrgan (the ESRGAN repository, BSRGAN) or 2018 (the first
release).

example: export.py experiments/esrgan --output esrgan.safetensors
"""

import sys
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from esrgan.commands.card import read_asked, run_settings, write_card
from esrgan.errors import report_errors
from esrgan.files import check_target
from esrgan.runs import RunFolder, find_weights

if TYPE_CHECKING:
    from esrgan.weights import Generator

_SUFFIXES = (".safetensors", ".pth", ".onnx", ".param")
LAYOUTS = ("basicsr", "esrgan", "2018")
"""Of keys; `esrgan.weights.KEY_LAYOUTS` has the same, behind seconds of imports."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What is asked for; None: the choice is left open."""

    source: str
    output: Path
    layout: str | None
    half: bool
    fp32: bool
    shape: tuple[int, int, int] | None
    scale: int | None
    no_padding: bool
    as_trained: bool
    weights: str | None
    card: Path | None
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
    add("--fp32", action="store_true", help="float32 in the weights of a .param")
    add("--shape", type=_shape, metavar="1x3xHxW", help="of .onnx: the one that it takes")
    add("--scale", type=int, metavar="N", help="3, where an older file of RRDB does not tell")
    add("--no-padding", action="store_true", help="for .onnx of x2 and x1: take multiples only")
    add("--as-trained", action="store_true", help="the network of the run, whoever reads it")
    add("--weights", choices=("ema", "raw"), help="of a checkpoint that has both; default: ema")
    text = "the author's part of a card for OpenModelDB, which is written beside the file"
    add("--card", type=Path, metavar="FILE.yaml", help=f"{text}, with a page in Markdown")
    add("--overwrite", action="store_true", help="write over an earlier file")
    return Arguments(**vars(parser.parse_args(argv)))


def _shape(word: str) -> tuple[int, int, int]:
    numbers = word.lower().split("x")
    if len(numbers) != 4 or numbers[1] != "3" or not all(n.isdecimal() and int(n) for n in numbers):
        raise ArgumentTypeError(f"{word} must be batch x 3 x height x width, as 1x3x256x256")
    batch, _, height, width = map(int, numbers)
    return batch, height, width


def _export(arguments: Arguments) -> None:
    _check_arguments(arguments)
    source = _find_source(arguments.source, weights=arguments.weights)
    output = arguments.output
    if output.exists() and output.samefile(source):
        raise ValueError(f"{source} is what is exported: choose another --output")
    card, overwrite = arguments.card, arguments.overwrite
    asked = None if card is None else read_asked(card, output, overwrite=overwrite)
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
    write = {".onnx": _write_onnx, ".param": _write_ncnn}.get(output.suffix, _write_weights)
    about = write(network, metadata, arguments)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, {about}")
    if asked is not None:
        print(write_card(asked, network, metadata, run_settings(source, metadata)))


def _write_onnx(network: "Generator", metadata: dict[str, str], arguments: Arguments) -> str:
    """Returns what there is to say of the file."""
    from esrgan.weights import OPSET, multiple_of, save_onnx

    difference = save_onnx(
        arguments.output,
        network,
        metadata=metadata,
        padding=not arguments.no_padding,
        shape=arguments.shape,
        half=arguments.half,
        overwrite=arguments.overwrite,
    )
    multiple = multiple_of(network) if arguments.no_padding else 1
    sides = f", sides that are multiples of {multiple}" if multiple > 1 else ""
    numbers = "float16 between float32 ends" if arguments.half else "float32"
    return f"{numbers}, opset {OPSET}{sides}, {_off_by(difference)}"


def _write_ncnn(network: "Generator", metadata: dict[str, str], arguments: Arguments) -> str:
    """Returns what there is to say of the file."""
    from esrgan.weights import save_ncnn

    output = arguments.output
    difference = save_ncnn(output, network, half=not arguments.fp32, overwrite=arguments.overwrite)
    weights = output.with_suffix(".bin")
    size = weights.stat().st_size / 1e6
    numbers = "float32" if arguments.fp32 else "float16"
    return f"with {weights}: {size:.1f} MB, {numbers}, {_off_by(difference)}"


def _off_by(difference: float) -> str:
    return f"at most {difference:.1e} from PyTorch's output"


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


_PROGRAMS = (".onnx", ".param")
_ONLY_FOR: dict[str, tuple[Sequence[str], str]] = {
    "no_padding": ((".onnx",), "it is for .onnx"),
    "shape": ((".onnx",), "it is for .onnx: what else is written takes any size"),
    "fp32": ((".param",), "it is for .param: what else is written is float32 without --half"),
    "half": ((".safetensors", ".pth", ".onnx"), "its weights are float16 unless --fp32 is given"),
    "layout": ((".safetensors", ".pth"), "what runs it does not read the names of layers"),
    "as_trained": ((".safetensors", ".pth"), "a program is whole as it is"),
}


def _check_arguments(arguments: Arguments) -> None:
    output = arguments.output
    check_target(output, overwrite=arguments.overwrite, suffixes=_SUFFIXES)
    if output.suffix == ".param":
        check_target(output.with_suffix(".bin"), overwrite=arguments.overwrite)
    for name, (suffixes, why) in _ONLY_FOR.items():
        if getattr(arguments, name) and output.suffix not in suffixes:
            option = f"--{name.replace('_', '-')}"
            raise ValueError(f"{option} has no effect on {output.suffix}: {why}")
    if output.suffix not in _PROGRAMS and RunFolder(output.parent).checkpoints.is_dir():
        raise ValueError(
            f"{output.parent.resolve()} is the folder of a run, which would then stand for "
            f"{output.name}: choose another folder"
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
