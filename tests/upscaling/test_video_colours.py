import av
import numpy as np
import pytest

from esrgan.data import Picture
from esrgan.upscaling.video_colours import colours_of, to_frame, to_picture

LIMITED, FULL = 1, 2
BT709, UNSAID, BT601 = 1, 2, 6


def yuv(y, u, v, *, height=16, pixel_format="yuv420p", matrix=UNSAID, color_range=0):
    frame = av.VideoFrame(16, height, pixel_format)
    dtype = np.uint16 if "10" in pixel_format else np.uint8
    for plane, value in zip(frame.planes, (y, u, v), strict=True):
        plane.update(np.full(plane.buffer_size // dtype().itemsize, value, dtype).tobytes())
    frame.colorspace, frame.color_range = matrix, color_range
    return frame


def rgb_of(frame):
    return to_picture(frame, colours_of(frame)).colour[8, 8].tolist()


# Pure red by the equations of BT.601 and BT.709, in limited range: 16 + 219 Y, 128 + 224 U, ...
RED_601, RED_709 = (81, 90, 240), (63, 102, 240)


def test_red_is_red_by_the_matrix_and_range_that_are_said():
    assert rgb_of(yuv(*RED_601, matrix=BT601, color_range=LIMITED)) == pytest.approx(
        [255, 0, 0], abs=1
    )
    assert rgb_of(yuv(*RED_709, matrix=BT709, color_range=LIMITED)) == pytest.approx(
        [255, 0, 0], abs=1
    )
    # In full range Y = 0.299 x 255, U = 128 - 0.1687 x 255, V = 255.5
    assert rgb_of(yuv(76, 85, 255, matrix=BT601, color_range=FULL)) == pytest.approx(
        [254, 0, 0], abs=1
    )


def test_an_unsaid_matrix_is_told_by_the_height_and_said_in_the_result():
    for height, red, matrix in ((576, RED_601, BT601), (720, RED_709, BT709)):
        frame = yuv(*red, height=height)
        assert rgb_of(frame) == pytest.approx([255, 0, 0], abs=1)
        result = to_frame(to_picture(frame, colours_of(frame)), colours_of(frame), "yuv420p")
        assert (result.colorspace, result.color_range) == (matrix, LIMITED)


@pytest.mark.parametrize(("matrix", "color_range"), [(BT601, LIMITED), (BT709, FULL)])
def test_frames_return_as_they_were(matrix, color_range):
    frame = yuv(120, 90, 160, matrix=matrix, color_range=color_range)
    frame.color_primaries, frame.color_trc = 9, 16
    colours = colours_of(frame)
    result = to_frame(to_picture(frame, colours), colours, "yuv420p")
    found = [np.frombuffer(plane, np.uint8)[0] for plane in result.planes]
    assert found == pytest.approx([120, 90, 160], abs=1)
    assert (result.color_primaries, result.color_trc) == (9, 16)


def test_ten_bits_are_kept():
    frame = yuv(481, 512, 512, pixel_format="yuv420p10le", color_range=LIMITED)
    colours = colours_of(frame)
    picture = to_picture(frame, colours)
    assert picture.colour.dtype == np.uint16
    assert picture.colour[8, 8].tolist() == pytest.approx([(481 - 64) / 876 * 65535] * 3, rel=4e-3)
    result = to_frame(picture, colours, "yuv420p10le")
    assert np.frombuffer(result.planes[0], np.uint16)[0] == pytest.approx(481, abs=1)


def test_colours_of_single_pixels_reach_their_neighbours():
    """Of columns in turn red and blue, a colour for two pixels is their mean."""
    columns = np.zeros((16, 16, 3), np.uint8)
    columns[:, ::2, 0] = columns[:, 1::2, 2] = 255
    picture = Picture(colour=columns, alpha=None, is_grey=False, icc_profile=None)
    colours = colours_of(yuv(0, 0, 0, matrix=BT601))
    result = to_frame(picture, colours, "yuv420p")
    # U and V of red and blue: 90 and 240, 240 and 110
    found = [np.frombuffer(plane, np.uint8).reshape(8, -1)[4, 4] for plane in result.planes[1:]]
    assert found == pytest.approx([(90 + 240) / 2, (240 + 110) / 2], abs=3)


def test_opaque_alpha_is_dropped_and_transparency_refused():
    pixels = np.full((16, 16, 4), 255, np.uint8)
    frame = av.VideoFrame.from_ndarray(pixels, "rgba")
    assert rgb_of(frame) == [255, 255, 255]
    pixels[3, 3, 3] = 254
    frame = av.VideoFrame.from_ndarray(pixels, "rgba")
    with pytest.raises(ValueError, match="has transparent pixels"):
        to_picture(frame, colours_of(frame))


def test_grey_and_unknown_matrices():
    grey = av.VideoFrame.from_ndarray(np.full((16, 16), 128, np.uint8), "gray")
    assert colours_of(grey).is_grey
    with pytest.raises(ValueError, match=r"matrix 14 of ITU-T H.273, which cannot be converted"):
        colours_of(yuv(0, 0, 0, matrix=14))
