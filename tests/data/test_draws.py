import numpy as np
import pytest

from esrgan.data.draws import check_draws, draw_sample, fraction, permutation


def test_what_a_seed_draws_never_changes():
    """A run that is resumed with a newer release continues on the same stream."""
    assert [fraction(7, number) for number in (0, 1, 10**15)] == FRACTIONS
    assert permutation(7, 5, group=2, length=8).tolist() == PERMUTATION


FRACTIONS = [0.832535443934379, 0.71380133550253, 0.38530309075542984]
PERMUTATION = [2, 6, 7, 3, 0, 4, 1, 5]


def test_fractions_are_uniform():
    counts = np.histogram([fraction(1, number) for number in range(5000)], 10, (0, 1))[0]
    chi_square = ((counts - 500) ** 2 / 500).sum()
    assert 0.97 < chi_square < 29.7  # 9 degrees of freedom: outside in 1 of 1,000 fair draws


@pytest.mark.parametrize("side", [3, 1000])
def test_whether_a_sample_is_given_says_nothing_about_its_draw(side):
    def draw(number):
        return draw_sample(
            number, seed=1, num_images=5, places=lambda _: (side, side), augment=True
        )

    low = [draw(number) for number in range(4000) if fraction(1, number) < 0.5]
    for values, largest in (
        ([one.top for one in low], side - 1),
        ([one.image for one in low], 4),
        ([one.flip_horizontal for one in low], 1),
    ):
        deviation = np.mean(values) - largest / 2
        assert abs(deviation) < 5 * np.std(values) / len(values) ** 0.5


def test_permutations_are_of_all_things_and_differ():
    orders = [
        permutation(seed, iteration, group=group, length=20).tolist()
        for seed in (1, 2)
        for iteration in range(5)
        for group in range(3)
    ]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert len(set(map(tuple, orders))) == len(orders)


@pytest.mark.parametrize("augment", ["rotate", None, 2])
def test_an_unknown_augmentation_is_refused(augment):
    with pytest.raises(ValueError, match=rf"augment \({augment}\) must be true, flip or false"):
        check_draws(seed=0, augment=augment)
