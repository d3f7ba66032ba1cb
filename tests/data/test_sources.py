import pytest

from esrgan.data.sources import find_sources, key_of


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


def test_files_of_the_same_name_are_both_named(tmp_path):
    first, second = touch(tmp_path / "a", "1.png"), touch(tmp_path / "b", "1.jpg")
    with pytest.raises(ValueError, match=r"a/1\.png and .*b/1\.jpg would both be record '1'"):
        find_sources([first, second], [], scale=4)


def test_low_resolution_files_may_end_in_the_scale(tmp_path):
    gt = touch(tmp_path / "gt", "a.png", "b.png", "cx4.png")
    lq = touch(tmp_path / "lq", "ax4.png", "b.png", "cx4.png")
    names = [source.lq.name for source in find_sources([gt], [lq], scale=4)]
    assert names == ["ax4.png", "b.png", "cx4.png"]


@pytest.mark.parametrize(
    ("gt_names", "lq_names", "message"),
    [
        (["a.png", "b.png"], ["a.png"], r"1 images have no lq image .*gt/b\.png"),
        (["a.png"], ["a.png", "b.png"], r"1 images have no gt image .*lq/b\.png"),
        (["a.png"], ["a.png", "ax4.png"], r"would both be record 'a'"),
    ],
)
def test_a_file_without_its_counterpart_is_named(tmp_path, gt_names, lq_names, message):
    gt, lq = touch(tmp_path / "gt", *gt_names), touch(tmp_path / "lq", *lq_names)
    with pytest.raises(ValueError, match=message):
        find_sources([gt], [lq], scale=4)


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


def test_a_name_too_long_for_lmdb_is_refused(tmp_path):
    folder = touch(tmp_path / "gt", "é" * 100 + ".png")
    with pytest.raises(ValueError, match=r"makes a key of 600 bytes, at most 504"):
        find_sources([folder], [], scale=4)
