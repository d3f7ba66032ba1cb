import math
from collections import Counter

import numpy as np
import pytest
from presets import PRESETS, preset

from esrgan.degradations.dice import Dice


def drawn(degradation, name, count=3000, seed=1):
    """What a step draws for so many samples, as `draw` asks it to."""
    step, steps = degradation.steps[name], {}
    for number in range(count):
        own = Dice(seed, number, name)
        if own.chance(step.probability):
            steps[number] = step.draw(own, Dice(seed, number, f"{name} of a batch"))
    for number in range(3):
        assert dict(degradation.draw(seed, number).steps).get(name) == steps.get(number)
    return list(steps.values())


@pytest.mark.parametrize("name", PRESETS)
def test_draws_are_a_function_of_seed_and_number(name):
    degradation = preset(name)
    forwards = [degradation.draw(7, number) for number in range(40)]
    again = preset(name)
    backwards = [again.draw(7, number) for number in reversed(range(40))]
    assert forwards == backwards[::-1]
    assert [d.steps for d in forwards] != [degradation.draw(8, n).steps for n in range(40)]
    assert len({d.steps for d in forwards}) == 40


def test_the_published_numbers_are_drawn_as_often_as_published():
    """Probabilities and ranges of section 4.1 and the code, against 3,000 draws."""
    published = preset("published")
    kernels = [d.kernel for d in drawn(published, "blur_1")]
    kinds = Counter(kernel.kind for kernel in kernels)
    shares = {"iso": 0.405, "aniso": 0.225, "generalized_iso": 0.108, "sinc": 0.1}
    for kind, share in shares.items():
        assert kinds[kind] / 3000 == pytest.approx(share, abs=0.03)
    assert Counter(k.size for k in kernels).keys() == set(range(7, 22, 2))
    sigmas = [kernel.sigma_x for kernel in kernels]
    assert min(sigmas) >= 0.2
    assert max(sigmas) <= 3
    assert np.mean(sigmas) == pytest.approx(1.6, abs=0.06)
    flat = [k.beta for k in kernels if k.kind.startswith("plateau")]
    assert np.mean(np.array(flat) == 1) == pytest.approx(0.5, abs=0.1)
    small = [k.cutoff for k in kernels if k.kind == "sinc" and k.size < 13]
    large = [k.cutoff for k in kernels if k.kind == "sinc" and k.size >= 13]
    assert min(small) >= math.pi / 3 - 1e-6
    assert math.pi / 5 - 1e-6 <= min(large) < math.pi / 3
    assert len(drawn(published, "blur_2")) / 3000 == pytest.approx(0.8, abs=0.03)
    assert len(drawn(published, "sinc")) / 3000 == pytest.approx(0.8, abs=0.03)


def test_the_published_strengths():
    published = preset("published")
    factors = np.array([d.factor for d in drawn(published, "resize_1")])
    assert (factors > 1).mean() == pytest.approx(0.2, abs=0.03)
    assert (factors == 1).mean() == pytest.approx(0.1, abs=0.03)
    assert factors.min() >= 0.15
    assert factors.max() <= 1.5
    noises = drawn(published, "noise_1")
    sigma = np.array([n.sigma for n in noises if hasattr(n, "sigma")])
    assert len(sigma) / 3000 == pytest.approx(0.5, abs=0.03)
    assert (sigma.min() >= 1, sigma.max() <= 30, round(sigma.mean())) == (True, True, 15)
    assert np.mean([n.gray for n in noises]) == pytest.approx(0.4, abs=0.03)
    quality = [d.quality for d in drawn(published, "jpeg_2")]
    assert np.mean(quality) == pytest.approx(62.5, abs=1.5)
    last = Counter(published.draw(1, n).steps[-1][0] for n in range(300))
    assert last["jpeg_2"] / 300 == pytest.approx(0.5, abs=0.1)


def test_a_batch_of_the_published_code_shares_what_it_shares():
    quirks = preset("published_quirks")
    batches = [[dict(quirks.draw(3, 12 * b + i).steps) for i in range(12)] for b in range(20)]
    for batch in batches:
        assert len({tuple(name for name in s if name != "sinc") for s in batch}) == 1
        for name in ("resize_1", "resize_2", "resize_3"):
            assert len({sample[name] for sample in batch}) == 1
        assert len({type(sample["noise_1"]) for sample in batch}) == 1
        assert len({sample["jpeg_1"].quality for sample in batch}) == 12
        assert len({sample["blur_1"] for sample in batch}) == 12
        assert len({"blur_2" in sample for sample in batch}) == 1
        grays = {
            s["noise_1"].key for s in batch if s["noise_1"].gray and hasattr(s["noise_1"], "sigma")
        }
        assert len(grays) <= 1
        corners = {quirks.draw_corner(3, 12 * batches.index(batch) + i, 37) for i in range(12)}
        assert len(corners) == 1
    assert len({batch[0]["resize_1"] for batch in batches}) > 15
    assert 0.6 < np.mean(["blur_2" in batch[0] for batch in batches]) <= 1
    alone = preset("published")
    assert len({dict(alone.draw(3, i).steps)["resize_1"] for i in range(12)}) > 8


def test_another_step_changes_nothing_of_the_others():
    before, after = preset("published"), preset("published", "steps.noise_1.sigma=[1,2]")
    for number in range(20):
        a, b = dict(before.draw(0, number).steps), dict(after.draw(0, number).steps)
        a.pop("noise_1"), b.pop("noise_1")
        assert a == b


def test_weights_and_ranges_are_kept():
    dice = Dice(1, 2, "test")
    found = Counter(dice.weighted({"a": 1, "b": 0, "c": 3}) for _ in range(4000))
    assert found["b"] == 0
    assert found["c"] / 4000 == pytest.approx(0.75, abs=0.03)
    values = [dice.uniform((-2, 5)) for _ in range(4000)]
    assert (min(values) >= -2, max(values) < 5) == (True, True)
    assert np.mean(values) == pytest.approx(1.5, abs=0.15)
    assert Dice(1, 2, "x").word() != Dice(1, 2, "y").word() != Dice(1, 3, "y").word()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("steps.resize_1.kinds.up=0.5", r"steps.resize_1.kinds has probabilities that sum to 1.3"),
        (
            "steps.noise_1.sigma=[30,1]",
            r"steps.noise_1.sigma \(\[30, 1\]\) .* the smaller one first",
        ),
        ("steps.blur_1.sizes=[7,20]", r"steps.blur_1.sizes has 20: .* odd .*: use 19 or 21"),
        ("steps.jpeg_2.quality=[0,95]", r"steps.jpeg_2.quality \(\[0, 95\]\) .* between 1 and 100"),
        ("steps.blur_2.probability=1.5", r"steps.blur_2.probability \(1.5\) is a probability"),
        ("+steps.blur_1.kinds.isotropic=0", r"steps.blur_1.kinds.isotropic does not exist"),
        ("+steps.resize_1.filters.bicubik=1", r"filters.bicubik does not exist: .*bicubic\?"),
        ("steps.jpeg_1.codecs.simulated=0", r"steps.jpeg_1.codecs has no weight above 0"),
        ("shared_among=0", r"degradations.shared_among \(0\) must be at least 1"),
        ("orders.0.probability=0.4", r"degradations.orders have probabilities that sum to 0.9"),
        ("orders.0.steps=[blur_1,sink]", r"orders names sink, which is not among .*sinc\?"),
        ("orders.0.steps=[resize_1,noise_1]", r"exactly one of the steps must be a FinalResize"),
        ("orders.0.steps=[resize_3,resize_1]", r"none after it may change the size"),
    ],
)
def test_what_cannot_work_is_refused_by_its_key(override, message):
    with pytest.raises(Exception, match=message):
        preset("published", override)
