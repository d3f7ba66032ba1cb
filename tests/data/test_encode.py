import numpy as np
import pytest

from esrgan.data.encode import Recipe, encode_source, encode_sources
from esrgan.data.images import ImageError, write_png
from esrgan.data.lmdb_store import CODECS
from esrgan.data.sources import Source


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


def test_at_scale_1_lq_images_must_be_given():
    with pytest.raises(ValueError, match=r"at scale 1, .*--lq"):
        Recipe(1, CODECS["raw"], every_second)
    assert Recipe(1, CODECS["raw"], None).scale == 1
