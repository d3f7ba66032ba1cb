import numpy as np
import pytest

from esrgan.evaluation import METRICS, Comparison, Score
from esrgan.reports.sheet import (
    Crop,
    HeaderLine,
    Origin,
    SheetRow,
    comparison_row,
    comparison_sheet,
    most_different_window,
)

PSNR_Y, SSIM_Y, PSNR_RGB, NIQE, LPIPS = (
    METRICS[name] for name in ("PSNR-Y", "SSIM-Y", "PSNR-RGB", "NIQE", "LPIPS")
)


def filled(value, size=(40, 60)):
    return np.full((*size, 3), value, np.uint8)


def test_every_pixel_of_a_crop_is_shown_enlarged():
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
    rows = [SheetRow({"LQ": filled(5, (20, 20)), "GT": crop}, {})]
    sheet = comparison_sheet(rows, zoom=2)
    enlarged = np.kron(crop, np.ones((2, 2, 1), np.uint8))
    views = np.lib.stride_tricks.sliding_window_view(sheet, enlarged.shape)[:, :, 0]
    assert (views == enlarged).all(axis=(2, 3, 4)).sum() == 1
    assert (sheet == 5).all(axis=2).sum() == 40 * 40


def test_a_long_name_or_caption_stays_within_its_column():
    row = SheetRow(
        {"a long name " * 9: filled(255, (30, 30))}, {"a long name " * 9: "caption " * 9}
    )
    inked = (comparison_sheet([row], zoom=2) < 255).any(axis=(0, 2))
    left, right = inked.argmax(), len(inked) - inked[::-1].argmax()
    assert 40 < right - left <= 60


def test_rows_with_different_columns_and_no_rows_are_refused():
    one, other = SheetRow({"a": filled(1)}, {}), SheetRow({"b": filled(1)}, {})
    with_origin = SheetRow(one.crops, {}, Origin("house", filled(1), (0, 0, 9, 9)))
    for rows in ([], [one, other], [one, with_origin]):
        with pytest.raises(ValueError, match="same columns"):
            comparison_sheet(rows)


def reddish(sheet):
    return (sheet[..., 0] > 150) & (sheet[..., 1] < 100) & (sheet[..., 2] < 100)


def test_header_lines_stand_above_the_crops_and_only_marked_texts_are_red():
    row = SheetRow({"GT": filled(5), "a": filled(5), "b": filled(5)}, {})
    line = HeaderLine("depth", {"a": "16", "b": "23"}, marked={"b"})
    plain = comparison_sheet([row], zoom=4)
    sheet = comparison_sheet([row], zoom=4, header=[line, line])
    assert sheet.shape[1] == plain.shape[1]
    added = sheet.shape[0] - plain.shape[0]
    crops = (sheet == 5).all(axis=2).any(axis=1)
    assert crops.argmax() == (plain == 5).all(axis=2).any(axis=1).argmax() + added
    where = np.nonzero(reddish(sheet))
    third = sheet.shape[1] / 3
    assert len(where[0]) > 20
    assert where[1].min() > 2 * third
    assert where[0].max() < crops.argmax()
    label = sheet[56 : 56 + 28, 16 : 16 + 60 * 4]
    assert (label < 200).any()
    assert label.min() > 90  # it is grey
    unmarked = HeaderLine(line.label, line.texts)
    assert not reddish(comparison_sheet([row], zoom=4, header=[unmarked])).any()


def test_a_text_too_long_for_its_column_keeps_its_beginning_and_its_end():
    def caption(text):
        sheet = comparison_sheet([SheetRow({"a": filled(255, (40, 40))}, {"a": text})], zoom=4)
        return sheet[-36:]

    long = caption("column one " * 5 + "at 1e-4")
    assert not np.array_equal(long, caption("column one " * 5 + "at 2e-4"))
    assert not np.array_equal(long, caption("Column one " + "column one " * 4 + "at 1e-4"))


def test_before_the_crops_the_whole_image_has_a_frame_where_they_are_from():
    image = filled(5, (40, 80))
    image[:20] = 60
    crops = {"LQ": filled(7, (10, 10)), "GT": filled(9, (10, 10))}
    row = SheetRow(crops, {}, Origin("house", image, (20, 40, 30, 50)))
    sheet = comparison_sheet([row, row], zoom=8)
    plain = comparison_sheet([SheetRow(crops, {})] * 2, zoom=8)
    assert sheet.shape == (plain.shape[0], plain.shape[1] + 80 + 8, 3)
    np.testing.assert_array_equal(sheet[56:, 16 + 80 + 8 :], plain[56:, 16:])
    whole = sheet[56 : 56 + 40, 16 : 16 + 80]  # as wide as a cell, below margin and names
    frame = reddish(whole)
    assert np.nonzero(frame.any(axis=1))[0][[0, -1]].tolist() == [20, 29]
    assert np.nonzero(frame.any(axis=0))[0][[0, -1]].tolist() == [40, 49]
    assert not frame[23:27, 43:47].any()
    assert np.abs(np.where(frame[..., None], image, whole).astype(int) - image)[[0, 39]].max() < 3


def test_a_tall_image_stands_in_the_middle_of_its_cell():
    crops = {"GT": filled(9, (10, 10))}
    row = SheetRow(crops, {}, Origin("house", filled(5, (80, 40)), (0, 0, 10, 10)))
    whole = comparison_sheet([row], zoom=8)[56 : 56 + 80, 16 : 16 + 80]
    columns = np.nonzero((whole == 5).all(axis=2).any(axis=0))[0]
    assert columns[[0, -1]].tolist() == [20, 59]


def test_the_name_of_an_image_stands_below_it():
    image = filled(255, (40, 40))
    rows = [SheetRow({"a": image}, {}, Origin(name, image, (0, 0, 9, 9))) for name in ("", "house")]
    unnamed, named = (comparison_sheet([row], zoom=4)[-36:] for row in rows)
    changed = np.nonzero((unnamed != named).any(axis=(0, 2)))[0]
    assert 16 < changed.min() < changed.max() < 16 + 160


def test_a_caption_may_have_several_lines_and_all_rows_are_as_high():
    one = SheetRow({"a": filled(255, (40, 40))}, {"a": "text"})
    two = SheetRow(one.crops, {"a": "text\ntext"})
    both = comparison_sheet([one, two], zoom=4)
    assert both.shape[0] == comparison_sheet([one, one], zoom=4).shape[0] + 2 * 24
    inked = (both < 255).any(axis=(1, 2))
    starts = np.nonzero(inked[1:] & ~inked[:-1])[0]
    assert len(starts) == 4  # the column's name, a caption of one line and one of two
    assert starts[3] - starts[2] == 24


def house(*scores):
    """A white square, which the only method misses, on grey."""
    gt = filled(90)
    gt[16:24, 32:40] = 200
    return Comparison("house", gt[::4, ::4], gt, {"ours": filled(90)}, scores)


def test_the_window_is_where_the_images_differ_most():
    changed = filled(90)
    changed[10:20, 30:40] = 200
    changed[0, 0] = 0
    assert most_different_window([filled(90), changed], 10) == (10, 30)


@pytest.mark.parametrize("size", [40, 41, 60, 99])
def test_a_window_as_large_as_the_image_starts_at_its_corner(size):
    changed = filled(90, size=(40, 40))
    changed[35, 35] = 0
    assert most_different_window([filled(90, size=(40, 40)), changed], size) == (0, 0)


def test_a_row_shows_the_same_window_of_every_column():
    comparison = house(Score("house", "ours", {PSNR_Y: 31.786}))
    row = comparison_row(comparison, Crop("house", 8), metrics=[PSNR_Y])
    assert list(row.crops) == ["LQ", "ours", "GT"]
    assert (row.crops["GT"] == 200).all()
    assert (row.crops["LQ"] == 200).all()
    assert (row.crops["ours"] == 90).all()
    assert row.crops["GT"].base is None  # a view would keep the whole image in memory
    assert row.captions == {"ours": "PSNR-Y 31.79"}
    assert row.origin.name == "house"
    assert row.origin.image is comparison.gt
    assert row.origin.box == (16, 32, 24, 40)


@pytest.mark.parametrize("at", [(0, 0), (32, 52), (10, 35)])
def test_a_crop_can_be_asked_for_anywhere_in_the_image(at):
    comparison = house()
    row = comparison_row(comparison, Crop("house", 8, at), metrics=[])
    top, left = at
    expected = comparison.gt[top : top + 8, left : left + 8]
    np.testing.assert_array_equal(row.crops["GT"], expected)
    enlarged = np.kron(comparison.lq, np.ones((4, 4, 1), np.uint8))
    np.testing.assert_array_equal(row.crops["LQ"], enlarged[top : top + 8, left : left + 8])
    assert row.origin.box == (top, left, top + 8, left + 8)


@pytest.mark.parametrize("scale", [2, 8])
def test_pixels_of_lq_are_as_large_as_the_scale(scale):
    gt = filled(0)
    lq = np.random.default_rng(0).integers(0, 256, gt[::scale, ::scale].shape, dtype=np.uint8)
    row = comparison_row(
        Comparison("house", lq, gt, {}, ()), Crop("house", 16, (8, 16)), metrics=[]
    )
    expected = np.kron(lq, np.ones((scale, scale, 1), np.uint8))[8:24, 16:32]
    np.testing.assert_array_equal(row.crops["LQ"], expected)


@pytest.mark.parametrize("at", [(-1, 0), (0, -1), (33, 0), (0, 53)])
def test_a_crop_that_leaves_the_image_is_refused_with_the_rule(at):
    rule = r"house \(height 40, width 60\).* 8x8 pixels, top can be 0 to 32 and left 0 to 52"
    with pytest.raises(ValueError, match=rule):
        comparison_row(house(), Crop("house", 8, at), metrics=[])


def test_a_crop_larger_than_the_image_is_the_image():
    comparison = house()
    row = comparison_row(comparison, Crop("house", 50, (0, 10)), metrics=[])
    np.testing.assert_array_equal(row.crops["GT"], comparison.gt[:, 10:])
    with pytest.raises(ValueError, match="40x50 pixels, top can be 0 to 0"):
        comparison_row(comparison, Crop("house", 50, (1, 0)), metrics=[])


@pytest.mark.parametrize("crop_size", [0, -4])
def test_a_crop_without_pixels_is_refused(crop_size):
    with pytest.raises(ValueError, match=rf"crop_size \({crop_size}\) must be at least 1"):
        comparison_row(house(), Crop("house", crop_size), metrics=[])


def test_below_a_crop_stand_the_metrics_asked_for_two_in_a_line():
    values = {PSNR_Y: 28.426, SSIM_Y: 0.81114, NIQE: 5.214, PSNR_RGB: 26.69}
    comparison = house(Score("house", "ours", values), Score("house", "GT", {NIQE: 3.2}))
    row = comparison_row(comparison, Crop("house"), metrics=[PSNR_Y, NIQE, SSIM_Y])
    assert row.captions == {"ours": "PSNR-Y 28.43 · NIQE 5.21\nSSIM-Y 0.8111", "GT": "NIQE 3.20"}


def test_a_metric_that_was_not_measured_is_refused():
    comparison = house(Score("house", "ours", {PSNR_Y: 1.0, NIQE: 5.0}))
    with pytest.raises(ValueError, match="LPIPS was not measured: choose among PSNR-Y, NIQE"):
        comparison_row(comparison, Crop("house"), metrics=[LPIPS])


@pytest.mark.parametrize("name", ["LQ", "GT"])
def test_a_method_called_like_an_image_is_refused(name):
    comparison = Comparison("house", filled(0)[::4, ::4], filled(0), {name: filled(0)}, ())
    with pytest.raises(ValueError, match=f"no method may be called {name}"):
        comparison_row(comparison, Crop("house"), metrics=[])
