import numpy as np
import pytest

from esrgan.data.pairs import Pair
from esrgan.data.subimages import SubImages


def coordinates(height, width):
    """An image whose pixels hold their row and column."""
    rows, columns = np.indices((height, width))
    return np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint16)


def cut(height, width, size, step, scale=1):
    pair = Pair(lq=coordinates(height // scale, width // scale), gt=coordinates(height, width))
    return list(SubImages(size, step).cut(pair, scale))


def test_an_image_of_div2k_is_cut_into_forty_squares():
    # 1356 rows: 0, 240, 480, 720 and 876 (the edge); 2040 columns: 0, 240, … 1440 and 1560
    squares = cut(1356, 2040, 480, 240)
    tops = [int(square.gt[0, 0, 0]) for square in squares]
    lefts = [int(square.gt[0, 0, 1]) for square in squares]
    assert tops == [top for top in (0, 240, 480, 720, 876) for _ in range(8)]
    assert lefts == [0, 240, 480, 720, 960, 1200, 1440, 1560] * 5
    assert {square.gt.shape for square in squares} == {(480, 480, 3)}


def test_no_square_is_repeated_where_the_last_step_meets_the_edge():
    assert len(cut(8, 12, 4, 4)) == 2 * 3


def test_the_lq_square_covers_the_gt_square():
    for square in cut(20, 28, 12, 8, scale=4):
        assert square.lq.shape == (3, 3, 3)
        assert (square.gt[0, 0, :2] == 4 * square.lq[0, 0, :2]).all()


def test_an_image_smaller_than_a_square_is_refused():
    with pytest.raises(ValueError, match=r"10x30 is smaller than the sub-image size \(12\)"):
        cut(10, 30, 12, 8)


@pytest.mark.parametrize(("size", "step"), [(481, 240), (480, 239), (0, 4), (4, -4)])
def test_squares_of_broken_lq_pixels_are_refused(size, step):
    with pytest.raises(ValueError, match=r"must be a multiple of scale \(4\): use \d+"):
        SubImages(size, step).check(4)
