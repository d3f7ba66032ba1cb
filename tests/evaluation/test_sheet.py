import numpy as np
import pytest

from esrgan.evaluation import SheetRow, comparison_sheet
from esrgan.evaluation.sheet import HeaderLine, Origin


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
