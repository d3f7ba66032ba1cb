"""What a Real-ESRGAN training sees is the same, in every bit, however it is made."""

import random

import cv2
import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from taken_batches import taken

from esrgan.commands.configs import configs_folder
from esrgan.data import write_png
from esrgan.hydra_errors import composed
from esrgan.runs import Settings

NUM_SAMPLES, BATCH_SIZE = 24, 8
# Without a pool, and with the published one, whose samples share what is drawn for a batch
KINDS = {
    "published": ["degradations=published"],
    "encoders": ["degradations=anime"],
    "quirks": ["degradations=published_quirks", "+data.pool.size=8", "+data.pool.batch=4"],
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("blind"), np.random.default_rng(0)
    for name in "abcde":
        smooth = cv2.resize(rng.random((8, 8, 3)), (112, 96), interpolation=cv2.INTER_CUBIC)
        noisy = (smooth + rng.normal(0, 0.03, smooth.shape)).clip(0, 1)
        write_png(folder / f"{name}.png", (noisy * 255).astype(np.uint8))
    return folder


@pytest.fixture(params=["encoders", "quirks", pytest.param("published", marks=pytest.mark.slow)])
def stream(request, images):
    """A function that makes the samples of some iterations: (lq, gt, sharp) of each."""

    def samples(*, everything="null", batch=BATCH_SIZE, rank=0, world_size=1, **arguments):
        settings = [
            "experiment=rrdb_light_blind",
            "data=blind_folder",
            f"train_set={images}",
            "data.train.crop=80",
            "patch_size=32",
            f"batch_size={batch}",
            f"data.train.in_worker.everything={everything}",
            f"iterations={NUM_SAMPLES // batch}",
            *KINDS[request.param],
        ]
        cfg = composed("train", settings, configs=configs_folder(), own=None, schema=Settings)
        data = instantiate(cfg.data, **{"num_workers": 0, "start_iteration": 0} | arguments)
        prepare = instantiate(cfg.prepare, _convert_="all")
        found = []
        for each in taken(data, rank=rank, world_size=world_size):
            made = zip(*prepare(each, torch.float32), strict=True)
            found += [tuple(image.numpy().tobytes() for image in sample) for sample in made]
        return found

    return samples


def test_it_depends_on_nothing_but_seed_and_number(stream):
    expected = stream()
    assert len(expected) == NUM_SAMPLES
    for changes in ({"num_workers": 1}, {"num_workers": 4}, {"everything": "false"}):
        assert stream(**changes) == expected, changes
    shares = [stream(rank=rank, world_size=2) for rank in range(2)]
    half = BATCH_SIZE // 2
    joined = []
    for first in range(0, len(shares[0]), half):
        joined += shares[0][first : first + half] + shares[1][first : first + half]
    assert joined == expected


def test_it_goes_on_after_a_restart_at_any_iteration(stream):
    expected = stream(batch=4)
    for start in random.Random(0).sample(range(1, NUM_SAMPLES // 4), 3):
        assert stream(batch=4, start_iteration=start) == expected[start * 4 :]


@pytest.mark.parametrize(
    "stream",
    ["encoders", pytest.param("published", marks=pytest.mark.slow)],
    indirect=True,
)
def test_it_does_not_depend_on_the_size_of_a_batch(stream):
    """But with a pool, which is one of batches."""
    samples = stream()
    assert stream(batch=4) == samples
    assert len(set(samples)) == NUM_SAMPLES
