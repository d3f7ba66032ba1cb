import itertools
import os
import pickle
import re
import signal
from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from esrgan.data.patches import GlobalBatches, PatchDataset, Sample, set_up_worker
from esrgan.types import Pair


class CodedPairs:
    """Every pixel of a pair says where it is: (pair, row, column)."""

    scale = 4

    def __init__(self, *lq_sizes):
        self.lq_sizes = lq_sizes

    def __len__(self):
        return len(self.lq_sizes)

    def key(self, index):
        return f"photo.{index}"

    def lq_size(self, index):
        return self.lq_sizes[index]

    def read_crop(self, index, top, left, size):
        height, width = self.lq_sizes[index]
        assert 0 <= top <= height - size
        assert 0 <= left <= width - size
        return Pair(
            lq=_coded(index, top, left, size),
            gt=_coded(index, self.scale * top, self.scale * left, self.scale * size),
        )


def _coded(index, top, left, size):
    rows, columns = np.mgrid[top : top + size, left : left + size]
    return np.stack([np.full_like(rows, index), rows, columns], axis=2).astype(np.uint8)


PAIRS = CodedPairs((9, 12), (20, 8), (10, 10), (30, 40), (8, 8))
FROZEN = [
    (4, 0, 0, True, False, True),
    (1, 3, 0, False, True, True),
    (1, 0, 0, True, False, True),
]  # samples 0, 1 and 10**15 of seed 7


@pytest.fixture
def dataset():
    return PatchDataset(PAIRS, patch_size=32, seed=7)


def test_a_sample_shows_the_place_and_the_orientation_that_were_drawn(dataset):
    for number in range(200):
        sample, draw = dataset[number], dataset.draw(number)
        for name, image in PAIRS.read_crop(draw.image, draw.top, draw.left, 8)._asdict().items():
            expected = image[:, ::-1] if draw.flip_horizontal else image
            expected = expected[::-1] if draw.flip_vertical else expected
            expected = expected.transpose(1, 0, 2) if draw.transpose else expected
            np.testing.assert_array_equal(sample[name], expected)


def test_both_patches_of_a_sample_show_the_same_place(dataset):
    for number in range(200):
        sample = dataset[number]
        assert sample["number"] == number
        assert sample["lq"].shape == (8, 8, 3)
        assert sample["gt"].shape == (32, 32, 3)
        enlarged = sample["lq"].repeat(4, axis=0).repeat(4, axis=1)
        np.testing.assert_array_equal(sample["gt"][..., 1:] // 4, enlarged[..., 1:])


def test_an_epoch_shows_each_pair_once_and_the_next_in_another_order():
    dataset = PatchDataset(CodedPairs(*[(8, 8)] * 100), patch_size=32, seed=0)
    epochs = [
        [dataset.draw(number).image for number in range(start, start + 100)]
        for start in range(0, 500, 100)
    ]
    assert all(sorted(epoch) == list(range(100)) for epoch in epochs)
    assert len(set(map(tuple, epochs))) == 5


def test_all_places_and_symmetries_are_equally_likely():
    dataset = PatchDataset(CodedPairs((10, 11)), patch_size=32, seed=1)
    counts = Counter(dataset.draw(number) for number in range(9600))
    assert len(counts) == 3 * 4 * 8
    chi_square = sum((count - 100) ** 2 / 100 for count in counts.values())
    assert 55 < chi_square < 150  # 95 degrees of freedom: outside in 1 of 2,000 fair draws


def test_neighbouring_seeds_draw_independently():
    first, second = (PatchDataset(PAIRS, patch_size=32, seed=seed) for seed in (0, 1))
    equal = sum(first.draw(number)[3:] == second.draw(number)[3:] for number in range(8000))
    assert 850 < equal < 1150  # 1 in 8, five standard deviations


def test_a_sample_does_not_depend_on_what_was_asked_before(dataset):
    draws = [dataset.draw(number) for number in range(50)]
    for number in (49, 3, 27, 3, 0):
        copy = pickle.loads(pickle.dumps(PatchDataset(PAIRS, patch_size=32, seed=7)))
        assert copy.draw(number) == dataset.draw(number) == draws[number]


def test_the_draws_of_a_seed_never_change(dataset):
    """A run that is resumed with a newer release continues on the same stream."""
    assert [dataset.draw(number) for number in (0, 1, 10**15)] == FROZEN


def test_without_augmentation_only_the_orientation_differs(dataset):
    plain = PatchDataset(PAIRS, patch_size=32, seed=7, augment=False)
    for number in range(100):
        assert plain.draw(number) == (*dataset.draw(number)[:3], False, False, False)


def test_flips_alone_are_those_of_the_full_augmentation(dataset):
    flips = PatchDataset(PAIRS, patch_size=32, seed=7, augment="flip")
    for number in range(100):
        assert flips.draw(number) == (*dataset.draw(number)[:4], False, False)


def test_a_patch_may_be_one_low_quality_pixel():
    sample = PatchDataset(CodedPairs((3, 3)), patch_size=4, seed=0)[5]
    assert (sample["lq"].shape, sample["gt"].shape) == ((1, 1, 3), (4, 4, 3))


def test_a_failed_read_names_the_sample_and_the_pair(dataset):
    def fail(*_):
        raise OSError("the disk is gone")

    dataset.pairs = CodedPairs(*PAIRS.lq_sizes)
    dataset.pairs.read_crop = fail
    message = f"sample 3 (pair 'photo.{dataset.draw(3).image}') cannot be read: the disk is gone"
    with pytest.raises(ValueError, match=re.escape(message)):
        dataset[3]


def test_a_negative_sample_number_is_refused(dataset):
    with pytest.raises(ValueError, match=r"sample number \(-1\) must be at least 0"):
        dataset[-1]


@pytest.mark.parametrize(
    ("patch_size", "message"),
    [
        (130, "patch_size (130) must be a multiple of scale (4): use 128 or 132"),
        (3, "patch_size (3) must be a multiple of scale (4): use 4"),
        (0, "patch_size (0) must be a multiple of scale (4): use 4"),
        (-8, "patch_size (-8) must be a multiple of scale (4): use 4"),
        (36, "2 of 5 images are smaller than patch_size (36): photo.1 (80x32), photo.4 (32x32): "),
        (36, "leave them out, or use patch_size 32 or less"),
    ],
)
def test_a_patch_size_that_does_not_fit_is_refused(patch_size, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        PatchDataset(PAIRS, patch_size=patch_size, seed=0)


def test_many_images_that_are_too_small_are_counted():
    message = r"^9 of 10 images.*photo\.4 \(32x32\) and 4 more: leave them out"
    with pytest.raises(ValueError, match=message):
        PatchDataset(CodedPairs(*[(8, 8)] * 9, (40, 40)), patch_size=64, seed=0)


def test_an_empty_collection_is_refused():
    with pytest.raises(ValueError, match="no image pairs"):
        PatchDataset(CodedPairs(), patch_size=32, seed=0)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match=re.escape(f"seed ({seed}) must lie in [0, 2**64)")):
        PatchDataset(PAIRS, patch_size=32, seed=seed)


def test_a_batch_holds_the_numbers_that_follow_the_ones_before():
    assert list(GlobalBatches(iterations=3, batch_size=2)) == [[0, 1], [2, 3], [4, 5]]


def test_processes_share_a_global_batch_in_order_of_rank():
    shares = [
        list(GlobalBatches(iterations=2, batch_size=6, rank=rank, world_size=3))
        for rank in range(3)
    ]
    assert shares == [[[0, 1], [6, 7]], [[2, 3], [8, 9]], [[4, 5], [10, 11]]]


def test_a_resumed_sampler_yields_what_was_left():
    whole = list(GlobalBatches(iterations=7, batch_size=4, rank=1, world_size=2))
    for start in range(8):
        rest = GlobalBatches(
            iterations=7, batch_size=4, start_iteration=start, rank=1, world_size=2
        )
        assert len(rest) == 7 - start
        assert list(rest) == whole[start:]


def test_a_late_start_costs_nothing():
    batches = GlobalBatches(iterations=10**12, batch_size=16, start_iteration=10**12 - 1)
    assert list(batches) == [list(range(16 * 10**12 - 16, 16 * 10**12))]


def test_it_can_be_walked_through_again():
    batches = GlobalBatches(iterations=10, batch_size=4)
    assert list(itertools.islice(batches, 3)) == list(batches)[:3]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"iterations": 0}, "iterations (0) must be at least 1"),
        ({"batch_size": 0}, "batch_size (0) must be at least 1"),
        ({"world_size": 0}, "world_size (0) must be at least 1"),
        ({"start_iteration": -1}, "start_iteration (-1) must lie between 0 and iterations (5)"),
        ({"start_iteration": 6}, "start_iteration (6) must lie between 0 and iterations (5)"),
        ({"rank": 1}, "rank (1) must lie in [0, 1)"),
        ({"rank": -1}, "rank (-1) must lie in [0, 1)"),
        ({"world_size": 3}, "multiple of their number (3): use 6 or 9"),
        ({"world_size": 16}, "multiple of their number (16): use 16"),
    ],
)
def test_a_number_that_cannot_work_is_refused(changed, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        GlobalBatches(**{"iterations": 5, "batch_size": 8} | changed)


def test_samples_are_stacked_in_order_as_bytes():
    samples = [
        Sample(
            lq=np.full((2, 2, 3), number, np.uint8),
            gt=np.full((8, 8, 3), 10 + number, np.uint8),
            number=number,
        )
        for number in range(3)
    ]
    batch = PatchDataset.collate(samples)
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
