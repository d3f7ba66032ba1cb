"""Generators as programs of ncnn, which upscalers for GPUs of any make run (.param and .bin)."""

import subprocess
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn

from esrgan.files import write_whole
from esrgan.networks import RRDBNet
from esrgan.weights.architecture import Generator, scale_of
from esrgan.weights.convertible import (
    ByConvolution,
    expected,
    refuse_difference,
    require_packages,
    unshuffles,
)
from esrgan.weights.reading import WeightsError
from esrgan.weights.release import check_place

TOLERANCES = {"fp32": 1e-4, "fp16": 1e-2}
"""Of 1, from PyTorch's output, by the number format of the weights."""
_SIZES = ((32, 32), (17, 23), (9, 40))  # height and width, to compare at
_TRACED = ((32, 32), (48, 40))  # two, so that the converter sees which sizes vary
_SCALES = (1, 2, 3)  # in the order in which Upscayl looks for them in a name; none of them is 4


def save_ncnn(
    path: Path | str, network: Generator, *, half: bool = True, overwrite: bool = False
) -> float:
    """Write a generator as NAME.param, and the weights as NAME.bin beside it.

    RGB in [0, 1] goes in by the blob `data` and comes out by `output`, of any height and width: so
    Upscayl and the programs around Real-ESRGAN name them. Where RRDBNet asks for multiples of its
    `unshuffle` (scale 2 and 1), the program mirrors what is missing at the right and bottom, and
    crops its output; height and width are at least that number. Before the files are kept, they are
    run by ncnn at three sizes; the largest difference from PyTorch's output, of 1, is returned.

    Args:
        path: has the scale in its name, as Upscayl reads it from there: NAME-x4.param.
        network: RRDBNet, SRVGGNetCompact, SRResNet, or another that ncnn has the layers of.
        half: whether the weights are stored in float16, for half the size.
        overwrite: whether earlier files may be written over.

    Raises:
        ValueError: as for `save_release`, the name has not the scale, a package is not installed,
            ncnn cannot run the network, or the outputs differ by more than `TOLERANCES`: then
            there is no file.
    """
    path = Path(path)
    weights = path.with_suffix(".bin")
    _check_name(path, scale_of(network))
    check_place(path, (".param",), overwrite=overwrite)
    check_place(weights, (".bin",), overwrite=overwrite)
    require_packages(path, ("pnnx", "ncnn"), extra="ncnn")
    network = deepcopy(network).to("cpu", torch.float32).eval()
    with TemporaryDirectory(prefix="esrgan-ncnn-") as folder:
        made = _convert(network, Path(folder), half=half)
        made.write_text(_named(made.read_text(encoding="utf-8"), network), encoding="utf-8")
        difference = _largest_difference(made, network, asked=path)
        program, numbers = made.read_bytes(), made.with_suffix(".bin").read_bytes()
    tolerance = TOLERANCES["fp16" if half else "fp32"]
    refuse_difference(path, difference, tolerance)
    write_whole(weights, numbers, overwrite=overwrite)
    write_whole(path, program, overwrite=overwrite)
    return difference


def _check_name(path: Path, scale: int) -> None:
    """Refuse the name of a .param from which Upscayl would read another scale, or none.

    Raises:
        ValueError: names the scale that it reads, and a name that has the right one.
    """
    name = path.stem.lower()
    read = [factor for factor in (*_SCALES, 4, 8) if f"x{factor}" in name or f"{factor}x" in name]
    if read[:1] != [scale]:
        about = f"x{read[0]} in it" if read else "no scale in it"
        raise ValueError(
            f"{path}: programs that run a .param read the scale from its name, which has {about}; "
            f"the network's is {scale}: call it {path.parent / 'NAME'}-x{scale}.param"
        )


def _convert(network: Generator, folder: Path, *, half: bool) -> Path:
    """The .param that pnnx makes of a network; its .bin is beside it."""
    import pnnx

    form: nn.Module = network
    if unshuffles(network):
        assert isinstance(network, RRDBNet)
        form = ByConvolution(network, pads=True, crops=False).eval()
    shapes = [f"[1,3,{height},{width}]f32" for height, width in _TRACED]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the old form of a program that pnnx reads
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            form, torch.rand(1, 3, *_TRACED[0])
        )
    traced.save(str(folder / "network.pt"))
    command = [pnnx.EXEC_PATH, "network.pt", f"inputshape={shapes[0]}", f"inputshape2={shapes[1]}"]
    done = subprocess.run(
        [*command, f"fp16={int(half)}"], cwd=folder, capture_output=True, text=True, check=False
    )
    made = folder / "network.ncnn.param"
    if done.returncode or not made.exists():
        last = (done.stderr or done.stdout).strip().rpartition("\n")[2]
        raise WeightsError(f"pnnx cannot convert the network (exit code {done.returncode}): {last}")
    return made


def _named(program: str, network: Generator) -> str:
    """The program with the blobs' usual names, which crops what was mirrored.

    After a first line, and one with the numbers of layers and blobs, each line is a layer: its
    kind, its name, how many blobs go in and come out, their names, and its settings.
    """
    magic, _, *layers = program.rstrip("\n").split("\n")
    renamed = {"in0": "data", "out0": "output"}
    added: list[str] = []
    if unshuffles(network):
        renamed = {"in0": "data_0", "out0": "uncropped"}
        added = _crop(scale_of(network))
        layers = layers[1:]  # the input, which is among what was added
    kept = [_with_blobs(layer, renamed) for layer in layers]
    lines = [*added[:2], *kept, *added[2:]]
    blobs = sum(int(line.split()[3]) for line in lines)
    return "\n".join([magic, f"{len(lines)} {blobs}", *lines]) + "\n"


def _crop(scale: int) -> list[str]:
    """An output is cropped to the size of another blob: that of the input, enlarged."""
    enlarged = "data_1" if scale == 1 else "data_2"
    lines = ["Input data 0 1 data", "Split split_data 1 2 data data_0 data_1"]
    if scale > 1:
        lines.append(f"Interp enlarge_data 1 1 data_1 data_2 0=1 1={scale}.0 2={scale}.0")
    return [*lines, f"Crop crop 2 1 uncropped {enlarged} output"]


def _with_blobs(layer: str, renamed: dict[str, str]) -> str:
    kind, name, num_in, num_out, *rest = layer.split()
    count = int(num_in) + int(num_out)
    blobs = [renamed.get(blob, blob) for blob in rest[:count]]
    return " ".join([kind, renamed.get(name, name), num_in, num_out, *blobs, *rest[count:]])


def _largest_difference(program: Path, network: Generator, *, asked: Path) -> float:
    run = _runner(program, asked=asked)
    numbers = torch.Generator().manual_seed(0)
    differences = []
    for size in _SIZES:
        lq = torch.rand(1, 3, *size, generator=numbers)
        sr = torch.from_numpy(run(lq[0].numpy()))[None]
        differences.append((sr - expected(network, lq)).abs().max())
    return float(torch.stack(differences).max())


def _runner(program: Path, *, asked: Path) -> Callable[[np.ndarray], np.ndarray]:
    """What makes sr of lq, (3, H, W), by ncnn."""
    import ncnn

    net = ncnn.Net()
    if net.load_param(str(program)) or net.load_model(str(program.with_suffix(".bin"))):
        kinds = {line.split()[0] for line in program.read_text(encoding="utf-8").split("\n")[2:-1]}
        unknown = sorted(kind for kind in kinds if "." in kind)
        named = f": it has no {', '.join(unknown)}" if unknown else ""
        raise WeightsError(f"{asked} is not written: ncnn cannot run the network{named}")

    def run(lq: np.ndarray) -> np.ndarray:
        extractor = net.create_extractor()
        given = ncnn.Mat(lq)  # looks into the array's memory, which so has to live as long
        extractor.input("data", given)
        code, output = extractor.extract("output")
        if code:
            raise WeightsError(f"{asked} is not written: ncnn fails at {lq.shape[1:]} ({code})")
        return np.array(output)

    return run
