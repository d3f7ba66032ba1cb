import numpy as np
import pytest

from esrgan.evaluation import (
    Comparison,
    Score,
    SheetRow,
    comparison_row,
    comparison_sheet,
    most_different_window,
)
from esrgan.evaluation.sheet import HeaderLine


def filled(value, size=(40, 60)):
    return np.full((*size, 3), value, np.uint8)


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
    gt = filled(90)
    gt[16:24, 32:40] = 200
    lq = gt[::4, ::4]
    scores = (Score("house", "ours", {"PSNR-Y": 31.786}),)
    comparison = Comparison("house", lq, gt, {"ours": filled(90)}, scores)
    row = comparison_row(comparison, metric="PSNR-Y", crop_size=8)
    assert list(row.crops) == ["LQ", "ours", "GT"]
    assert (row.crops["GT"] == 200).all()
    assert (row.crops["LQ"] == 200).all()
    assert (row.crops["ours"] == 90).all()
    assert row.captions == {"LQ": "house", "ours": "PSNR-Y 31.79"}


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
    for rows in ([], [one, other]):
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
    unmarked = HeaderLine(line.label, line.texts)
    assert not reddish(comparison_sheet([row], zoom=4, header=[unmarked])).any()


def test_a_text_too_long_for_its_column_keeps_its_beginning_and_its_end():
    def caption(text):
        sheet = comparison_sheet([SheetRow({"a": filled(255, (40, 40))}, {"a": text})], zoom=4)
        return sheet[-36:]

    long = caption("column one " * 5 + "at 1e-4")
    assert not np.array_equal(long, caption("column one " * 5 + "at 2e-4"))
    assert not np.array_equal(long, caption("Column one " + "column one " * 4 + "at 1e-4"))
