"""Files as programs write them: right, or refused by the name of what is not followed."""

import logging
import re

import numpy as np
import pytest
from picture_samples import Sample, samples

from esrgan.data import ImageError, image_size, read_image, read_picture

each = pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)


def test_there_are_as_many_as_were_promised():
    names = [sample.name for sample in samples()]
    assert len(names) == len(set(names)) >= 200


@each
def test_a_picture_is_right_or_refused_by_name(sample: Sample, tmp_path, caplog):
    path = tmp_path / "x.jpg"  # the content counts
    path.write_bytes(sample.data)
    caplog.set_level(logging.WARNING)
    if sample.refused:
        for read in (read_picture, read_image):
            with pytest.raises(ImageError, match=sample.refused):
                read(path)
        return
    found = read_picture(path)
    expected = sample.pixels
    colours = expected[..., :1].repeat(3, axis=2) if expected.shape[2] <= 2 else expected[..., :3]
    assert found.colour.dtype == expected.dtype
    np.testing.assert_array_equal(found.colour, colours)
    assert found.is_grey == (expected.shape[2] <= 2)
    assert (found.alpha is not None) == (expected.shape[2] in (2, 4))
    if found.alpha is not None:
        np.testing.assert_array_equal(found.alpha, expected[..., -1])
    said = "\n".join(caplog.messages)
    assert bool(re.search(sample.note, said)) if sample.note else not said
    assert image_size(path) == expected.shape[:2]
    if found.alpha is None:
        eight = colours if expected.dtype == np.uint8 else np.floor(colours / 257 + 0.5)
        np.testing.assert_array_equal(read_image(path), eight)
    elif found.is_transparent:
        with pytest.raises(ImageError, match="transparent pixels"):
            read_image(path)
