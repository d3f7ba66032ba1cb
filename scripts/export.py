"""Write a trained network for other programs, and check what was written.

SOURCE is weights (.pth, .safetensors, a checkpoint) or the folder of a run, which stands for its
newest release or checkpoint. What the output's name ends in says what is written:

  .safetensors  weights; the recipe, the metrics and the architecture are in its metadata
  .pth          the same for programs that read nothing else: BasicSR, Real-ESRGAN, upscalers
  .onnx         a program: `lq` in, `sr` out, RGB in [0, 1], (N, 3, H, W), of any size

--dialect gives RRDB's layers the names that a program expects: basicsr (today's, also
Real-ESRGAN's), esrgan (the ESRGAN repository, BSRGAN) or 2018 (the first release).

example: export.py experiments/esrgan --output esrgan.safetensors
"""

import argparse
import sys
from pathlib import Path

import torch
from exporting.arguments import WEIGHTS, parse_arguments, refuse_dialect

from esrgan.command_line import report_errors
from esrgan.weights import (
    DIALECTS,
    Generator,
    find_weights,
    list_checkpoints,
    load_generator,
    read_metadata,
    save_onnx,
    save_release,
)


def main() -> None:
    arguments = parse_arguments(__doc__)
    source = find_source(arguments.source, arguments.weights)
    if arguments.output.exists() and arguments.output.samefile(source):
        raise ValueError(f"{source} is what is exported: choose another --output")
    network = load(source, arguments.weights)
    refuse_dialect(network, arguments.dialect)
    print(f"{source}: {describe(network)}")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write = write_program if arguments.output.suffix == ".onnx" else write_weights
    metadata = read_metadata(source)
    if arguments.weights == "raw":
        metadata.pop("metrics", None)  # of the average: the other weights were not validated
    about = write(network, metadata, arguments)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.1f} MB, {about}")


def find_source(word: str, weights: str | None) -> Path:
    """A run's release has one set of weights: where one is to be chosen, it is its checkpoint's."""
    if weights is None or not Path(word).is_dir():
        return find_weights(word)
    checkpoints = list_checkpoints(Path(word))
    if not checkpoints:
        raise ValueError(f"{word} has no checkpoint, in which weights could be chosen")
    return checkpoints[-1]


def load(source: Path, weights: str | None) -> Generator:
    if weights is None:
        return load_generator(source)
    networks = {name: load_generator(source, part=part) for name, part in WEIGHTS.items()}
    average, raw = (network.state_dict() for network in networks.values())
    if all(torch.equal(tensor, raw[key]) for key, tensor in average.items()):
        raise ValueError(f"{source} has one set of weights: --weights has nothing to choose from")
    return networks[weights]


def write_weights(
    network: Generator, metadata: dict[str, str], arguments: argparse.Namespace
) -> str:
    dtype = torch.float16 if arguments.half else torch.float32
    save_release(
        arguments.output,
        network,
        metadata=metadata,
        dialect=DIALECTS[arguments.dialect or "basicsr"],
        dtype=dtype,
        overwrite=arguments.overwrite,
    )
    return str(dtype).removeprefix("torch.")


def write_program(
    network: Generator, metadata: dict[str, str], arguments: argparse.Namespace
) -> str:
    difference = save_onnx(
        arguments.output, network, metadata=metadata, overwrite=arguments.overwrite
    )
    return f"float32, at most {difference:.1e} from PyTorch's output"


def describe(network: Generator) -> str:
    count = sum(parameter.numel() for parameter in network.parameters())
    arguments = ", ".join(f"{name} {value}" for name, value in network.architecture.items())
    return f"{count:,} parameters, {arguments}"


if __name__ == "__main__":
    sys.exit(report_errors(main))
