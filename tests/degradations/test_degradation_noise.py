import numpy as np
import pytest
import torch

from esrgan.degradations import noise
from esrgan.degradations.noise import (
    add_gaussian,
    add_poisson,
    as_levels,
    distinct_levels,
    gray,
    normal_field,
    poisson_field,
    random_words,
)

CPU = torch.device("cpu")


def test_noise_is_added_as_by_the_published_code(golden, images):
    file = golden("noise")
    x = images(file["input_u8"])
    for i in range(2):
        name = "gray" if file["g_gray"][i] else "color"
        field = torch.from_numpy(file[f"g_field_{name}"])
        field = field.expand(1, 1, -1, -1) if name == "gray" else field[i : i + 1]
        found = add_gaussian(x[i : i + 1], field, file["g_sigma"][i].item())
        assert torch.allclose(found[0], torch.from_numpy(file["g_out"][i]), rtol=0, atol=1e-6)

        name = "gray" if file["p_gray"][i] else "color"
        source = as_levels(gray(x[i : i + 1]) if name == "gray" else x[i : i + 1])
        levels = distinct_levels(source)
        assert levels == file[f"p_levels_{name}"][i]
        counts = torch.from_numpy(file[f"p_counts_{name}"][i : i + 1])
        scale = file["p_scale"][i].item()
        found = add_poisson(x[i : i + 1], source, counts, levels=levels, scale=scale)
        assert torch.allclose(found[0], torch.from_numpy(file["p_out"][i]), rtol=0, atol=1e-6)


def test_words_are_uniform_and_independent_of_their_neighbours():
    words = random_words(12345, (1 << 16,), CPU).numpy().view(np.uint32)
    bits = np.unpackbits(words.view(np.uint8)).reshape(-1, 32).mean(0)
    assert np.abs(bits - 0.5).max() < 0.01  # 5 standard deviations
    assert len(np.unique(words)) == len(words)
    x = words / 2**32
    for lag in (1, 2, 3, 64, 400):
        assert abs(np.corrcoef(x[:-lag], x[lag:])[0, 1]) < 0.02


@pytest.mark.parametrize("other", [12346, 12345 + (1 << 32), 12345 ^ (1 << 63)])
def test_another_key_gives_other_words(other):
    a, b = (random_words(key, (4096,), CPU).double() for key in (12345, other))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.08
    assert (a == b).sum() < 3


def test_the_words_are_these_for_ever():
    """Worked out in Python's own whole numbers: triple32 twice over."""

    def mix(x):
        for shift, factor in ((17, 0xED5AD4BB), (11, 0xAC4C1B51), (15, 0x31848BAB)):
            x = ((x ^ x >> shift) * factor) % (1 << 32)
        return x ^ x >> 14

    key = 0xFEDCBA9876543210
    expected = [mix(mix(i ^ key % (1 << 32)) ^ key >> 32) for i in range(100)]
    found = random_words(key, (10, 10), CPU).reshape(-1).numpy().view(np.uint32)
    assert found.tolist() == expected


def test_normal_values_are_normal():
    stats = pytest.importorskip("scipy.stats")
    field = normal_field(7, (3, 300, 300), CPU).double().reshape(-1).numpy()
    assert stats.kstest(field, "norm").pvalue > 0.01
    assert field.std() == pytest.approx(1, abs=0.005)
    assert stats.kurtosis(field) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(("level", "levels"), [(0, 256), (1, 256), (13, 64), (255, 256), (128, 2)])
def test_counts_are_poisson(level, levels):
    stats = pytest.importorskip("scipy.stats")
    counts = poisson_field(3, torch.full((200_000,), float(level)), levels).numpy()
    mean = level * levels / 255
    values = np.arange(600)
    expected = stats.poisson.pmf(values, mean) * len(counts)
    found = np.bincount(counts.astype(int), minlength=600)
    used = expected > 20
    chi = ((found - expected)[used] ** 2 / expected[used]).sum()
    assert stats.chi2.sf(chi, max(used.sum() - 1, 1)) > 1e-3 or mean == 0
    assert counts.mean() == pytest.approx(mean, rel=0.02, abs=1e-9)


def test_flat_areas_are_coarse_only_where_the_published_rule_is_asked_for():
    """A constant 0.5 has one level: a standard deviation of 124 levels, as the facts measured."""
    flat = torch.full((1, 3, 128, 128), 0.5)
    sigma = {}
    for quirk in (True, False):
        drawn = noise.DrawnPoisson(scale=1.0, gray=False, key=5, levels_of_image=quirk)
        sigma[quirk] = drawn.apply(flat, None).std().item() * 255
    assert sigma[True] > 100
    assert sigma[False] == pytest.approx(255 * (0.5 / 256) ** 0.5, rel=0.03)
