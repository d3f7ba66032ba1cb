from dataclasses import replace

import numpy as np
import pytest

from esrgan.data.encode import Recipe, encode_source, encode_sources, leave_out_small
from esrgan.data.images import ImageError, write_png
from esrgan.data.lmdb_store import CODECS
from esrgan.data.sources import Source, SubImages


def every_second(image, scale):
    return np.ascontiguousarray(image[:: round(1 / scale), :: round(1 / scale)])


@pytest.fixture
def write(tmp_path):
    def write(name, height, width):
        write_png(tmp_path / name, np.full((height, width, 3), 7, np.uint8))
        return tmp_path / name

    return write


RECIPE = Recipe(2, CODECS["raw"], every_second)


def test_rows_and_columns_beyond_a_multiple_of_scale_are_cropped(write):
    ((entry, gt, lq),) = encode_source(Source("a", write("a.png", 9, 7), None), RECIPE)
    assert (entry.record.height, entry.record.width) == (8, 6)
    assert (len(gt), len(lq)) == (8 * 6 * 3, 4 * 3 * 3)


def test_a_ready_made_image_of_another_size_is_named(write):
    source = Source("a", write("a.png", 8, 8), write("b.png", 4, 3))
    error = encode_source(source, RECIPE)
    assert isinstance(error, ImageError)
    assert "a.png: its lq image is 4x3, but must be 4x4" in str(error)


def test_an_image_smaller_than_the_scale_is_named(write):
    assert "1x8 is smaller than" in str(
        encode_source(Source("a", write("a.png", 1, 8), None), RECIPE)
    )


def test_a_file_that_vanished_is_named(tmp_path):
    assert "gone.png" in str(encode_source(Source("a", tmp_path / "gone.png", None), RECIPE))


def test_sources_are_read_no_faster_than_they_are_stored(write):
    taken = []

    def sources():
        for number in range(20):
            taken.append(number)
            yield Source("a", path, None)

    path = write("a.png", 8, 8)
    results = encode_sources(sources(), RECIPE, processes=2)
    next(results)
    assert len(taken) <= 4
    assert len(list(results)) == 19


def test_less_than_one_process_is_refused():
    with pytest.raises(ValueError, match=r"processes \(0\) must be at least 1"):
        list(encode_sources([], RECIPE, processes=0))


GT_ONLY = Recipe(1, CODECS["raw"], downscale=None, gt_only=True)


def test_a_ground_truth_alone_is_stored_whole(write):
    ((entry, gt, lq),) = encode_source(Source("a", write("a.png", 9, 7), None), GT_ONLY)
    assert (entry.record.height, entry.record.width, entry.record.lq_digest) == (9, 7, "")
    assert (len(gt), lq) == (9 * 7 * 3, None)


def test_reduced_versions_are_records_of_their_own(write):
    recipe = replace(RECIPE, multi_scale=True)
    encoded = encode_source(Source("a", write("a.png", 40, 31), None), recipe)
    records = [entry.record for entry, _, _ in encoded]
    assert [(record.key, record.height, record.width) for record in records] == [
        ("a", 40, 30),  # cropped to a multiple of scale, as the others
        ("aT0", 30, 22),
        ("aT1", 20, 14),
        ("aT2", 12, 10),
    ]
    assert [len(lq) for _, _, lq in encoded] == [20 * 15 * 3, 15 * 11 * 3, 10 * 7 * 3, 6 * 5 * 3]


def test_reduced_versions_are_cut_like_the_others(write):
    recipe = replace(GT_ONLY, multi_scale=True, subimages=SubImages(16, 16), skip_small=16)
    encoded = encode_source(Source("a", write("a.png", 40, 32), None), recipe)
    keys = [entry.record.key for entry, _, _ in encoded]
    assert keys == [
        *(f"a_s{number:03d}" for number in range(1, 7)),  # rows at 0, 16, 24; columns at 0, 16
        *(f"aT0_s{number:03d}" for number in range(1, 5)),  # 30 x 24: at 0 and 14; 0 and 8
        *(f"aT1_s{number:03d}" for number in range(1, 3)),  # 20 x 16: at 0 and 4
    ]


def test_what_is_too_small_is_left_out_by_name(write):
    recipe = replace(GT_ONLY, multi_scale=True, skip_small=15)
    large, small = (write(f"{name}.png", side, 40) for name, side in (("a", 30), ("b", 14)))
    (broken := large.with_name("c.png")).write_bytes(b"no image")
    sources = [Source(path.stem, path, None) for path in (large, small, broken)]
    stored = leave_out_small(sources, recipe)
    assert [source.key for source in stored.sources] == ["a", "c"]
    assert stored.too_small == [
        f"{large} T2 (10x13)",
        f"{small} (14x40)",
        f"{small} T0 (10x30)",
        f"{small} T1 (7x20)",
        f"{small} T2 (4x13)",
    ]
    keys = [entry.record.key for entry, _, _ in encode_source(stored.sources[0], recipe)]
    assert keys == ["a", "aT0", "aT1"]


def test_nothing_is_left_out_unless_it_is_asked_for(write):
    sources = [Source("a", write("a.png", 1, 1), None)]
    assert leave_out_small(sources, GT_ONLY) == (sources, [])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scale": 2}, "without lq images, scale must be 1"),
        ({"downscale": every_second}, "without lq images, .* no downscale"),
        ({"gt_only": False, "multi_scale": True}, "multi_scale has no effect on ready-made"),
        ({"skip_small": 0}, r"skip_small \(0\) must be at least 1"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        replace(GT_ONLY, **changed)


def test_at_scale_1_lq_images_must_be_given():
    with pytest.raises(ValueError, match=r"at scale 1, .*--lq"):
        Recipe(1, CODECS["raw"], every_second)
    assert Recipe(1, CODECS["raw"], None).scale == 1
