"""Names for files that are taken for weights and are none: what they are, and what to do."""

import re
import zipfile
from contextlib import suppress
from pathlib import Path

_START = 512
_AGAIN = "download it again"
_STARTS = {
    rb"\s*<(!doctype html|html|head)": f"a web page, mostly of a download that failed: {_AGAIN}",
    rb"\s*<\?xml|\s*<Error>": f"XML, most often the answer of a server that refused: {_AGAIN}",
    rb"version https://git-lfs": "a pointer of Git LFS, not the file: fetch that by git lfs pull",
    rb"7767517\s": "a network of ncnn (.param): the weights that it was made of are needed",
    rb"\x89HDF": "HDF5, as Keras and MATLAB write it: weights of PyTorch are needed",
    rb"GGUF": "GGUF: weights of PyTorch are needed",
    rb"\x93NUMPY": "an array of NumPy: weights of PyTorch are needed",
    rb"\x1f\x8b|7z\xbc\xaf|Rar!|\xfd7zXZ": "an archive: unpack it",
    rb"\x89PNG|\xff\xd8\xff|GIF8|BM|RIFF....WEBP": "a picture",
}
_ONNX = "a program (ONNX), which other programs run: the weights that it was made of are needed"


def foreign_name(path: Path) -> str | None:
    """What a file is that holds no weights of PyTorch, by its content; None: nothing known."""
    with path.open("rb") as file:
        start = file.read(_START)
    for pattern, name in _STARTS.items():
        if re.match(pattern, start, re.IGNORECASE | re.DOTALL):
            return name
    if _looks_like_onnx(start):
        return _ONNX
    if start.startswith(b"PK"):
        return _name_in_zip(path)
    return None


def _looks_like_onnx(start: bytes) -> bool:
    """Its version as the first field, then who made it: a protocol buffer begins with no mark."""
    return re.match(rb"\x08[\x03-\x20]\x12.(?:pytorch|tf2onnx|onnx|keras|skl)", start) is not None


def is_safetensors(path: Path) -> bool:
    """Whether it begins with a length and a header in JSON."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def names_in_zip(path: Path) -> list[str]:
    """Of the files in an archive; none where it is no zip, or a damaged one."""
    with suppress(Exception), zipfile.ZipFile(path) as archive:  # damage raises nearly anything
        return archive.namelist()
    return []


def _name_in_zip(path: Path) -> str | None:
    names = names_in_zip(path)
    if any(re.search(r"/code/|/constants\.pkl$", name) for name in names):
        fix = "save the state dict of the module (torch.jit.load reads it)"
        return f"a program of PyTorch (TorchScript): {fix}"
    if any(name.endswith(".npy") for name in names):
        return "arrays of NumPy (.npz): weights of PyTorch are needed"
    if names and not any(name.endswith("data.pkl") for name in names):
        return "an archive: unpack it"
    return None
