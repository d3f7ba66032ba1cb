from hashlib import sha256
from urllib.parse import quote

import numpy as np
import pytest

from esrgan.data.sources import SubImages, find_sources, key_of


def touch(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_images_of_several_folders_come_in_the_order_of_their_keys(tmp_path):
    first, second = (
        touch(tmp_path / "b", "2.png", "4.JPG"),
        touch(tmp_path / "a", "3.png", "1.webp"),
    )
    sources = find_sources([first, second], [], scale=4)
    assert [source.key for source in sources] == ["1", "2", "3", "4"]
    assert [source.gt.parent.name for source in sources] == ["a", "b", "a", "b"]


def test_files_of_the_same_name_are_told_apart_by_their_folders(tmp_path):
    first, second = touch(tmp_path / "a", "1.png"), touch(tmp_path / "b", "1.jpg")
    sources = find_sources([first, second], [], scale=4)
    assert [(source.key, source.gt) for source in sources] == [
        ("a_1", first / "1.png"),
        ("b_1", second / "1.jpg"),
    ]


def test_low_resolution_files_may_end_in_the_scale(tmp_path):
    gt = touch(tmp_path / "gt", "a.png", "b.png", "cx4.png")
    lq = touch(tmp_path / "lq", "ax4.png", "b.png", "cx4.png")
    names = [source.lq.name for source in find_sources([gt], [lq], scale=4)]
    assert names == ["ax4.png", "b.png", "cx4.png"]


@pytest.mark.parametrize(
    ("stem", "key"),
    [
        ("0801", "0801"),
        ("a photo (1)", "a photo (1)"),
        ("été", "%C3%A9t%C3%A9"),
        ("v1.2", "v1%2E2"),
        ("50%", "50%25"),
        ("tab\there", "tab%09here"),
    ],
)
def test_a_key_is_printable_ascii_without_dots(stem, key):
    assert key_of(stem) == key


def test_of_a_name_too_long_for_lmdb_the_end_is_a_digest(tmp_path):
    names = ["写" * 80, "写" * 79 + "生", "a" * 240]
    folder = touch(tmp_path / "gt", *(f"{name}.png" for name in names))
    keys = {source.gt.stem: source.key for source in find_sources([folder], [], scale=4)}
    assert keys["a" * 240] == "a" * 240
    digest = sha256(quote("写" * 80).encode()).hexdigest()[:16]
    assert keys["写" * 80] == quote("写" * 80)[: 502 - 17] + "~" + digest
    assert len(set(keys.values())) == 3
    assert {len(key) for key in keys.values()} == {240, 502}


def coordinates(height, width):
    """An image whose pixels hold their row and column."""
    rows, columns = np.indices((height, width))
    return np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint16)


def cut(height, width, size, step, scale=1):
    return list(SubImages(size, step).cut(coordinates(height, width), scale))


def test_an_image_of_div2k_is_cut_into_forty_squares():
    # 1356 rows: 0, 240, 480, 720 and 876 (the edge); 2040 columns: 0, 240, … 1440 and 1560
    squares = cut(1356, 2040, 480, 240)
    tops = [int(square[0, 0, 0]) for square in squares]
    lefts = [int(square[0, 0, 1]) for square in squares]
    assert tops == [top for top in (0, 240, 480, 720, 876) for _ in range(8)]
    assert lefts == [0, 240, 480, 720, 960, 1200, 1440, 1560] * 5
    assert {square.shape for square in squares} == {(480, 480, 3)}


def test_no_square_is_repeated_where_the_last_step_meets_the_edge():
    assert len(cut(8, 12, 4, 4)) == 2 * 3


def test_the_lq_square_covers_the_gt_square():
    gt_squares, lq_squares = cut(20, 28, 12, 8), cut(5, 7, 12, 8, scale=4)
    for gt, lq in zip(gt_squares, lq_squares, strict=True):
        assert lq.shape == (3, 3, 3)
        assert (gt[0, 0, :2] == 4 * lq[0, 0, :2]).all()


def test_an_image_smaller_than_a_square_is_refused():
    with pytest.raises(ValueError, match=r"10x30 is smaller than the sub-image size \(12\)"):
        cut(10, 30, 12, 8)


@pytest.mark.parametrize(("size", "step"), [(481, 240), (480, 239), (0, 4), (4, -4)])
def test_squares_of_broken_lq_pixels_are_refused(size, step):
    with pytest.raises(ValueError, match=r"must be a multiple of scale \(4\): use \d+"):
        SubImages(size, step).check(4)
