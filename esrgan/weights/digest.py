"""Whether a file of weights is as it was written: the digest that releases carry, and zip's sums.

A digest finds what changes a value; a flipped bit that changes none is let be. Files of others, and
of earlier versions, have none.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch
from torch import Tensor

DIGEST = "esrgan_digest"
"""The key of the digest, in the metadata of .safetensors or beside the weights in .pth."""


def digest_of(content: Mapping[Any, Any]) -> str:
    """Of names, dtypes, shapes and bytes of tensors, and of all else as JSON; in no order.

    Mappings may be nested. `DIGEST` itself is left out.
    """
    digest = hashlib.sha256()
    for key, value in sorted(content.items(), key=lambda item: str(item[0])):
        if key == DIGEST:
            continue
        digest.update(json.dumps(str(key)).encode())
        if isinstance(value, Tensor):
            digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
            digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
        elif isinstance(value, Mapping):
            digest.update(digest_of(value).encode())
        else:
            digest.update(json.dumps(value, default=repr).encode())
    return digest.hexdigest()


def damaged_member(path: Path) -> str | None:
    """The first file in a zip that differs from its checksum; None: none does, or it is no zip.

    PyTorch writes these sums and does not read them; it can be told to write zeros for them.
    """
    try:
        archive = ZipFile(path)
    except Exception:  # damage raises nearly anything
        return None  # as it is where there is no zip: PyTorch has its own say
    with archive:
        for member in archive.infolist():
            try:
                if member.CRC:
                    archive.read(member)
            except Exception:
                return member.filename
    return None
