import itertools
import re

import pytest

from esrgan.data import GlobalBatches


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
