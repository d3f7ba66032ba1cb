"""What a loading process does with samples. No Lightning: a spawned process would wait for it."""

import signal
from types import FrameType
from typing import TypedDict

import cv2
import torch
from torch.utils.data import default_collate

from esrgan.data.patches import Sample


class Batch(TypedDict):
    """Patches as bytes, RGB: `lq` is uint8 (N, h, w, 3), `gt` is uint8 (N, H, W, 3)."""

    lq: torch.Tensor
    gt: torch.Tensor


def stack(samples: list[Sample]) -> Batch:
    """Copy samples of one size into a batch: in a worker, into the memory it shares."""
    return Batch(
        lq=default_collate([sample["lq"] for sample in samples]),
        gt=default_collate([sample["gt"] for sample in samples]),
    )


def set_up_worker(_worker: int) -> None:
    """Make a loading process leave signals and the other cores alone."""
    # A Ctrl-C in the terminal and the end of a job's time reach every process: what happens then is
    # for the main one to say. It ends its workers by a SIGTERM too, where they do not answer: the
    # second one counts.
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _take_the_next)
    cv2.setNumThreads(0)  # torch limits its own threads itself


def _take_the_next(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
