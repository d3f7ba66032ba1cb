import os
import signal

import numpy as np
import torch
from torch.utils.data import DataLoader

from esrgan.data import Sample
from esrgan.data.batches import set_up_worker, stack


def test_samples_are_stacked_in_order_as_bytes():
    samples = [
        Sample(
            lq=np.full((2, 2, 3), number, np.uint8),
            gt=np.full((8, 8, 3), 10 + number, np.uint8),
            number=number,
        )
        for number in range(3)
    ]
    batch = stack(samples)
    assert (batch["lq"].dtype, batch["gt"].dtype) == (torch.uint8, torch.uint8)
    assert (batch["lq"].shape, batch["gt"].shape) == ((3, 2, 2, 3), (3, 8, 8, 3))
    assert batch["lq"][:, 0, 0, 0].tolist() == [0, 1, 2]
    assert batch["gt"][:, 7, 7, 2].tolist() == [10, 11, 12]


class Interrupted:
    def __getitem__(self, number):
        os.kill(os.getpid(), signal.SIGINT)
        return number


def test_a_worker_survives_ctrl_c():
    loader = DataLoader(
        Interrupted(), batch_sampler=[[0], [1]], num_workers=1, worker_init_fn=set_up_worker
    )
    assert [batch.item() for batch in loader] == [0, 1]
