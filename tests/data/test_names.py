import logging
import unicodedata

import numpy as np
import pytest

from esrgan.data.images import write_png
from esrgan.data.names import find_partners, find_truths


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.WARNING, "esrgan.data")
    return lambda: "\n".join(caplog.messages)


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).touch()
    return folder


def draw(folder, **sizes):
    folder.mkdir(exist_ok=True, parents=True)
    for name, size in sizes.items():
        write_png(folder / f"{name}.png", np.zeros((*size, 3), np.uint8))
    return folder


@pytest.mark.parametrize(
    "lq",
    [
        *["baby", "babyx4", "baby_x4", "babyX4", "baby-x4", "baby_4x", "baby_LR4", "baby_LR"],
        *["baby_bicLRx4", "baby_LRx4", "baby_LRBI_x4", "baby_bicubic_x4", "baby_SRF_4_LR"],
        *["babyx4m", "babyx4d", "babyx4w1", "baby_lq", "baby_LR_x4", "baby_x4_LR", "baby.x4"],
    ],
)
@pytest.mark.parametrize("gt", ["baby", "baby_HR", "baby_GT", "baby_SRF_4_HR", "baby_HR_x4"])
def test_the_endings_that_people_use_are_known(tmp_path, gt, lq):
    other = {"baby": "head", "baby_HR": "head_HR"}.get(gt, "head")
    truths = find_truths([touch(tmp_path / "gt", f"{gt}.png", f"{other}.png")])
    folder = touch(tmp_path / "lq", f"{lq}.jpg", "headx4.png")
    partners = find_partners(truths, [folder], scale=4)
    assert {key: path.stem for key, path in partners.items()} == {gt: lq, other: "headx4"}


def test_a_name_as_it_is_goes_before_one_without_its_ending(tmp_path):
    truths = find_truths([touch(tmp_path / "gt", "a.png", "ax4.png", "img_4.png", "img.png")])
    folder = touch(tmp_path / "lq", "a.png", "ax4.png", "img_4x4.png", "imgx4.png")
    partners = find_partners(truths, [folder], scale=4)
    found = {key: path.stem for key, path in partners.items()}
    assert found == {"a": "a", "ax4": "ax4", "img_4": "img_4x4", "img": "imgx4"}


def test_endings_of_other_scales_are_no_endings(tmp_path):
    truths = find_truths([touch(tmp_path / "gt", "a.png")])
    with pytest.raises(ValueError, match=r"(?s)ax2\.png has no gt image.*a\.png has no lq image"):
        find_partners(truths, [touch(tmp_path / "lq", "ax2.png")], scale=4)


def test_names_are_compared_in_one_form_of_unicode(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "été") for form in ("NFC", "NFD"))
    assert composed != decomposed
    truths = find_truths([touch(tmp_path / "gt", f"{decomposed}.png")])
    assert list(truths) == [composed]
    folder = touch(tmp_path / "lq", f"{composed}x4.png")
    assert list(find_partners(truths, [folder], scale=4)) == [composed]


def test_all_that_is_wrong_is_named_at_once(tmp_path):
    gt = touch(tmp_path / "gt", *(f"{n}.png" for n in "abcdefgh"), *(f"{n}.jpg" for n in "gh"))
    with pytest.raises(ValueError) as caught:
        find_truths([gt])
    assert str(caught.value).count("would both be called") == 2
    for name in "gh":
        (gt / f"{name}.jpg").unlink()
    lq = touch(tmp_path / "lq", "a.png", "ax4.png", "zx4.png", "yx4.png")
    with pytest.raises(ValueError) as caught:
        find_partners(find_truths([gt]), [lq], scale=4)
    lines = str(caught.value).splitlines()
    assert len([line for line in lines if "has no lq image: add" in line]) == 7
    assert len([line for line in lines if "has no gt image" in line]) == 2
    assert len([line for line in lines if "has two lq images" in line]) == 1


def test_equal_names_in_subfolders_are_told_apart(tmp_path):
    """As in OutdoorScene, whose classes of scenes are folders."""
    names = ["animal/1.png", "sky/1.png", "sky/2.png"]
    gt, lq = touch(tmp_path / "gt", *names), touch(tmp_path / "lq", *names)
    truths = find_truths([gt])
    assert sorted(truths) == ["2", "animal_1", "sky_1"]
    partners = find_partners(truths, [lq], scale=4)
    assert partners["sky_1"] == lq / "sky/1.png"
    assert partners["2"] == lq / "sky/2.png"
    both = find_truths([gt, touch(tmp_path / "more", "1.png")])
    assert sorted(both) == ["2", "gt_animal_1", "gt_sky_1", "more_1"]


def test_a_folder_named_twice_is_refused(tmp_path):
    gt = touch(tmp_path / "gt", "a.png", "sub/b.png")
    for other in (gt, gt / "sub", tmp_path):
        with pytest.raises(ValueError, match="are one folder, or one in the other"):
            find_truths([gt, other])


@pytest.mark.parametrize(
    ("gt", "lq", "ending"),
    [
        ("HR", "LRbicx4", "x4"),
        ("HR", "LRbicx4", ""),
        ("DIV2K_train_HR", "DIV2K_train_LR_bicubic/X4", "x4"),
        ("DIV2K_valid_HR", "DIV2K_valid_LR_unknown/X4", ""),
        (".", ".", "_LR4"),
        ("gt", "lq", ""),
    ],
)
def test_low_resolution_halves_are_left_out_and_said(tmp_path, said, gt, lq, ending):
    draw(tmp_path / gt, a=(30, 41), b=(40, 40))
    draw(tmp_path / lq, **{f"a{ending}": (7, 10), f"b{ending}": (10, 10)})
    truths = find_truths([tmp_path])
    assert {key: truth.path for key, truth in truths.items()} == {
        "a": tmp_path / gt / "a.png",
        "b": tmp_path / gt / "b.png",
    }
    assert "2 images are others of these made smaller or worse, which are left out" in said()


def test_what_only_looks_like_a_half_is_kept(tmp_path, said):
    draw(tmp_path, a=(40, 40), ax4=(40, 40), b=(40, 40), bx4=(11, 11), c=(10, 10), cx4=(40, 40))
    draw(tmp_path / "sky", d=(40, 40))
    draw(tmp_path / "sea", d=(10, 10))
    truths = find_truths([tmp_path])
    assert sorted(truths) == ["a", "ax4", "b", "bx4", "c", "cx4", "sea_d", "sky_d"]
    assert said() == ""


def test_headers_are_read_of_suspects_only(tmp_path, monkeypatch):
    folders = [tmp_path / f"{number:05d}" for number in range(30)]
    for folder in folders:
        touch(folder, *(f"im{number}.png" for number in range(1, 8)))  # as Vimeo-90K has it
    monkeypatch.setattr("esrgan.data.names.image_size", lambda _: pytest.fail("was read"))
    assert len(find_truths([tmp_path])) == 210


def test_of_selfexsrs_images_one_half_is_the_truth_and_one_the_input(tmp_path, said):
    sizes = {f"img_{n}_SRF_4_{word}": (48, 56) for n in (1, 2) for word in ("HR", "bicubic", "A+")}
    draw(tmp_path, **sizes, **{f"img_{n}_SRF_4_LR": (12, 14) for n in (1, 2)})
    truths = find_truths([tmp_path])
    assert sorted(truths) == ["img_1_SRF_4_HR", "img_2_SRF_4_HR"]
    assert "4 images are results of others, left out: " in said()
    partners = find_partners(truths, [tmp_path], scale=4)
    assert {key: path.stem for key, path in partners.items()} == {
        f"img_{n}_SRF_4_HR": f"img_{n}_SRF_4_LR" for n in (1, 2)
    }


def test_rcans_test_data_are_pairs(tmp_path):
    gt = touch(tmp_path / "HR/Set5/x4", "baby_HR_x4.png", "bird_HR_x4.png")
    lq = touch(tmp_path / "LR/LRBI/Set5/x4", "baby_LRBI_x4.png", "bird_LRBI_x4.png")
    partners = find_partners(find_truths([gt]), [lq], scale=4)
    assert [path.stem for path in partners.values()] == ["baby_LRBI_x4", "bird_LRBI_x4"]
