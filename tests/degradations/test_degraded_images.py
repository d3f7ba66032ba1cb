import numpy as np
import pytest

from esrgan.degradations import DegradedImages, degraded_images
from esrgan.types import Image


class Photographs:
    """Ground truths in memory, of which the sides need not be multiples of a scale."""

    def __init__(self, *sizes: tuple[int, int]) -> None:
        rng = np.random.default_rng(0)
        self.images = [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]

    def __len__(self) -> int:
        return len(self.images)

    def key(self, index: int) -> str:
        return f"photo{index}.png"

    def size(self, index: int) -> tuple[int, int]:
        height, width, _ = self.images[index].shape
        return height, width

    def read(self, index: int) -> Image:
        return self.images[index].copy()

    def read_crop(self, index: int, top: int, left: int, height: int, width: int) -> Image:
        raise AssertionError("validation looks at whole images")

    def verify(self) -> None:
        raise ValueError("photo1.png is damaged")


class Noise:
    """Every fourth pixel, with noise of the number; remembers what it was asked for."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __call__(self, gt: Image, number: int) -> Image:
        self.numbers.append(number)
        noise = np.random.default_rng(number).integers(0, 20, gt[::4, ::4].shape, np.uint8)
        return np.asarray(gt[::4, ::4] // 2 + noise, np.uint8)


SIZES = (33, 40), (24, 27)


def test_ground_truths_lose_what_is_beyond_a_multiple_of_the_scale() -> None:
    photographs = Photographs(*SIZES)
    pairs = DegradedImages(photographs, degrade=Noise(), scale=4)
    assert len(pairs) == 2
    assert [pairs.key(index) for index in range(2)] == ["photo0.png", "photo1.png"]
    for index, (height, width) in enumerate([(32, 40), (24, 24)]):
        lq, gt = pairs.read(index)
        np.testing.assert_array_equal(gt, photographs.images[index][:height, :width])
        assert gt.flags["C_CONTIGUOUS"]
        assert lq.shape == (height // 4, width // 4, 3)
        assert pairs.lq_size(index) == lq.shape[:2]


def test_what_is_made_stays_the_same_in_any_order_and_in_another_process() -> None:
    ours, theirs = (DegradedImages(Photographs(*SIZES), degrade=Noise(), scale=4) for _ in "ab")
    first = [ours.read(index) for index in (0, 1, 0)]
    others = [theirs.read(index) for index in (1, 0)]
    np.testing.assert_array_equal(first[0].lq, first[2].lq)
    np.testing.assert_array_equal(first[0].lq, others[1].lq)
    np.testing.assert_array_equal(first[1].lq, others[0].lq)


def test_each_is_made_once_of_a_number_that_training_never_reaches() -> None:
    noise = Noise()
    pairs = DegradedImages(Photographs(*SIZES), degrade=noise, scale=4)
    for index in (0, 1, 0, 1):
        pairs.read(index)
    assert noise.numbers == [2**40, 2**40 + 1]
    # RealESRNet's million iterations of 48 samples, ten thousand times
    assert min(noise.numbers) > 10_000 * 1_000_000 * 48


def test_what_memory_is_not_meant_for_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(degraded_images, "MOST_KEPT", 8 * 10 * 3)  # bytes: the first image's
    noise = Noise()
    pairs = DegradedImages(Photographs(*SIZES), degrade=noise, scale=4)
    first, second = pairs.read(0), pairs.read(1)
    np.testing.assert_array_equal(pairs.read(0).lq, first.lq)
    np.testing.assert_array_equal(pairs.read(1).lq, second.lq)
    assert noise.numbers == [2**40, 2**40 + 1, 2**40 + 1]


def test_a_degradation_of_another_scale_is_refused() -> None:
    pairs = DegradedImages(Photographs((32, 32)), degrade=Noise(), scale=2)
    with pytest.raises(ValueError, match=r"photo0.png: .* made \(8, 8, 3\) of \(32, 32, 3\)"):
        pairs.read(0)


def test_an_image_that_cannot_be_degraded_is_named() -> None:
    def refuse(gt: Image, number: int) -> Image:
        raise ValueError("both sides must be at least 26")

    pairs = DegradedImages(Photographs((32, 32)), degrade=refuse, scale=4)
    with pytest.raises(ValueError, match=r"photo0.png cannot be degraded: .* at least 26"):
        pairs.read(0)


def test_its_ground_truths_are_what_is_verified() -> None:
    with pytest.raises(ValueError, match=r"photo1\.png is damaged"):
        DegradedImages(Photographs(*SIZES), degrade=Noise(), scale=4).verify()


def test_an_image_of_which_nothing_would_be_left_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match=r"photo1.png \(3x9\) is smaller than scale \(4\)"):
        DegradedImages(Photographs((32, 32), (3, 9)), degrade=Noise(), scale=4)
