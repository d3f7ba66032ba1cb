"""What the command is asked for, and what can be refused of it."""

import argparse
from pathlib import Path

from esrgan.weights import AVERAGE, DIALECTS, RAW, Generator

WEIGHTS = {"ema": AVERAGE, "raw": RAW}
SUFFIXES = (".safetensors", ".pth", ".onnx")


def parse_arguments(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("source", metavar="SOURCE")
    add("--output", type=Path, required=True, metavar="FILE", help=" or ".join(SUFFIXES))
    add("--dialect", choices=DIALECTS, help="names of the layers; default: basicsr")
    add("--half", action="store_true", help="float16 in the file, for half its size")
    add("--weights", choices=WEIGHTS, help="of a checkpoint that has both; default: ema")
    add("--overwrite", action="store_true", help="write over an earlier file")
    arguments = parser.parse_args()
    _refuse_target(arguments.output, overwrite=arguments.overwrite)
    if arguments.output.suffix == ".onnx":
        _refuse_options_of_weights(arguments)
    return arguments


def refuse_dialect(network: Generator, dialect: str | None) -> None:
    name = network.architecture["network"]
    if dialect and name != "RRDBNet":
        raise ValueError(f"--dialect is for RRDBNet: the layers of {name} have one set of names")


def _refuse_target(output: Path, *, overwrite: bool) -> None:
    if output.suffix not in SUFFIXES:
        raise ValueError(f"--output {output} must end in {' or '.join(SUFFIXES)}")
    if output.is_dir() or (output.exists() and not overwrite):
        raise ValueError(f"{output} exists: choose another name, or give --overwrite")
    if output.suffix != ".onnx" and (output.parent / "checkpoints").is_dir():
        raise ValueError(
            f"{output.parent.resolve()} is the folder of a run, which would then stand for "
            f"{output.name}: choose another folder"
        )
    existing = next(parent for parent in output.parents if parent.exists())
    if not existing.is_dir():
        raise ValueError(f"{output} cannot be written: {existing} is not a folder")


def _refuse_options_of_weights(arguments: argparse.Namespace) -> None:
    if arguments.dialect:
        raise ValueError("--dialect has no effect on .onnx: what runs it does not read the names")
    if arguments.half:
        raise ValueError(
            "--half is for weights: an .onnx file is checked against PyTorch to 1e-4, which "
            "float16 cannot hold. What runs it (TensorRT, DirectML, …) can convert it itself"
        )
