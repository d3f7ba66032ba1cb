import itertools
import re
from collections import Counter

import numpy as np
import pytest

from esrgan.data import pool
from esrgan.data.patches import GlobalBatches
from esrgan.data.pool import PooledBatches, trained_on


def batches(*, size=180, batch=12, seed=3, batch_size=12, iterations=2000, **where):
    globally = GlobalBatches(iterations=iterations, batch_size=batch_size, **where)
    return PooledBatches(globally, size=size, batch=batch, seed=seed)


def test_it_is_the_pool_of_real_esrgan(reference_data):
    published = np.load(reference_data / "real_esrgan" / "pool.npz")
    size, batch = int(published["queue_size"]), int(published["batch"])
    num_filling = size // batch
    stream = trained_on(
        0,
        size=size,
        incoming=lambda iteration: np.arange(iteration * batch, (iteration + 1) * batch),
        order=lambda iteration: published["permutations"][iteration - num_filling],
    )
    ours = np.array(list(itertools.islice(stream, len(published["trained_on"]))))
    np.testing.assert_array_equal(ours, published["trained_on"])


def test_while_it_fills_batches_are_trained_on_as_they_are():
    first = list(itertools.islice(batches(), 16))
    assert first[:15] == [list(range(12 * t, 12 * t + 12)) for t in range(15)]
    assert first[15] != list(range(180, 192))


def test_every_sample_leaves_the_pool_once_and_after_fifteen_iterations_on_average():
    later = list(batches())[15:]
    counts = Counter(itertools.chain.from_iterable(later))
    assert set(counts.values()) == {1}
    delays = [15 + t - number // 12 for t, numbers in enumerate(later) for number in numbers]
    assert min(delays) == 1
    assert 14 < np.mean(delays) < 16


def test_samples_of_one_batch_are_hardly_ever_trained_on_together():
    pairs = [
        first // 12 == second // 12
        for numbers in list(batches())[100:]
        for first, second in itertools.combinations(numbers, 2)
    ]
    # Each leaves with a chance of p = 1/15 per iteration, two in the same one with p / (2 - p)
    assert 1.8 < 66 * np.mean(pairs) < 2.8  # 2.3 of the 66 pairs in a batch


@pytest.mark.parametrize("start", [0, 1, 14, 15, 16, 100, 121, 135, 136, 500, 1999, 2000])
def test_a_restart_continues_the_stream(start):
    rest = batches(batch_size=24, start_iteration=start)
    assert len(rest) == 2000 - start
    assert list(itertools.islice(rest, 30)) == list(batches(batch_size=24))[start : start + 30]


@pytest.mark.parametrize("start", range(60))
def test_a_restart_goes_back_as_far_as_it_needs(start, monkeypatch):
    monkeypatch.setattr(pool, "_REPLAYED", 1)  # hardly ever enough: the distance has to grow
    small = {"size": 6, "batch": 2, "batch_size": 4, "iterations": 80}
    assert list(batches(start_iteration=start, **small)) == list(batches(**small))[start:]


def test_a_late_start_costs_next_to_nothing(monkeypatch):
    exchange, asked = pool._exchange, []
    monkeypatch.setattr(pool, "_exchange", lambda *a: asked.append(a[1]) or exchange(*a))
    start = 10**9
    late = batches(iterations=start + 1, start_iteration=start)
    numbers = list(late)
    assert len(asked) < 1000
    assert len(numbers) == 1
    assert all(start - 1000 < number // 12 < start for number in numbers[0])


def test_processes_share_pools_that_do_not_depend_on_their_number():
    alone = list(batches(batch_size=48, iterations=40))
    for world_size in (2, 4, 8):
        shares = [
            list(batches(batch_size=48, iterations=40, rank=rank, world_size=world_size))
            for rank in range(world_size)
        ]
        together = [list(itertools.chain(*parts)) for parts in zip(*shares, strict=True)]
        assert together == alone


def test_each_group_has_a_pool_of_its_own():
    for numbers in batches(batch_size=48, iterations=60):
        groups = [[number % 48 // 12 for number in numbers[g : g + 12]] for g in (0, 12, 24, 36)]
        assert groups == [[0] * 12, [1] * 12, [2] * 12, [3] * 12]


def test_groups_iterations_and_seeds_are_shuffled_differently():
    streams = [list(batches(seed=seed, iterations=40)) for seed in (3, 3, 4)]
    assert streams[0] == streams[1] != streams[2]
    both = list(batches(batch_size=24, iterations=40))
    places = [[(n // 24, n % 12) for n in half] for half in (both[20][:12], both[20][12:])]
    assert places[0] != places[1]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch": 0}, "data.pool.batch (0) must be at least 1"),
        ({"size": 181}, "data.pool.size (181) must be a multiple of data.pool.batch (12): use 180"),
        ({"size": 0}, "data.pool.size (0) must be a multiple of data.pool.batch (12): use 12"),
        (
            {"batch_size": 16},
            "batch_size (16) must be a multiple of data.pool.batch (12): use batch_size=12 or 24,"
            " or another data.pool.batch",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changed, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        batches(**changed)
