from pathlib import Path

import pytest

from esrgan.data.layouts import benchmark_name, pair_folders


@pytest.mark.parametrize(
    ("gt", "lq"),
    [
        ("HR", "LRbicx4"),
        ("GTmod12", "LRbicx4"),
        ("HR", "LR_bicubic/X4"),
        ("HR", "LR/x4"),
        ("gt", "lq"),
    ],
)
def test_a_benchmark_is_found_in_the_layouts_in_circulation(tmp_path, gt, lq):
    (tmp_path / gt).mkdir()
    (tmp_path / lq).mkdir(parents=True)
    assert pair_folders(str(tmp_path), scale=4) == (tmp_path / gt, tmp_path / lq)
    assert benchmark_name(tmp_path / gt) == tmp_path.name


def test_two_folders_can_be_given_and_a_single_one_is_ground_truth(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    folders = pair_folders(f"{tmp_path}/a:{tmp_path}/b", scale=2)
    assert folders == (tmp_path / "a", tmp_path / "b")
    assert pair_folders(f"{tmp_path}/a", scale=2) == (tmp_path / "a", None)
    assert benchmark_name(tmp_path / "a") == "a"


def test_a_benchmark_without_low_resolution_images_has_them_made(tmp_path):
    (tmp_path / "HR").mkdir()
    assert pair_folders(str(tmp_path), scale=4) == (tmp_path / "HR", None)


def test_a_benchmark_of_another_scale_or_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "HR").mkdir()
    (tmp_path / "LRbicx4").mkdir()
    words = r"has LRbicx4, and nothing for scale 2 \(as LRbicx2\): choose its scale, give both"
    with pytest.raises(ValueError, match=words):
        pair_folders(str(tmp_path), scale=2)
    with pytest.raises(ValueError, match="nowhere must be a folder"):
        pair_folders("nowhere", scale=2)


def folders(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)


@pytest.mark.parametrize("scale", [2, 4])
def test_of_selfexsrs_folders_that_of_the_scale_holds_both(tmp_path, scale):
    folders(tmp_path / "Set14", "image_SRF_2", "image_SRF_4")
    expected = tmp_path / f"Set14/image_SRF_{scale}"
    for word in (tmp_path / "Set14", expected):
        assert pair_folders(str(word), scale=scale) == (expected, expected)
    assert benchmark_name(expected) == "Set14"


def test_rcans_test_data_are_found_by_the_folder_of_the_ground_truth(tmp_path):
    folders(tmp_path, "HR/Set5/x2", "HR/Set5/x4", "LR/LRBI/Set5/x4", "LR/LRBI/Set14/x2")
    gt, lq = tmp_path / "HR/Set5/x4", tmp_path / "LR/LRBI/Set5/x4"
    for word in (tmp_path / "HR/Set5", gt):
        assert pair_folders(str(word), scale=4) == (gt, lq)
    assert benchmark_name(gt) == "Set5"
    assert pair_folders(str(tmp_path / "HR/Set5"), scale=2) == (tmp_path / "HR/Set5/x2", None)


def test_a_scale_that_is_not_among_the_folders_of_scales_is_refused(tmp_path):
    folders(tmp_path, "image_SRF_2", "image_SRF_4")
    with pytest.raises(ValueError, match="has image_SRF_2, image_SRF_4, and nothing for scale 3"):
        pair_folders(str(tmp_path), scale=3)


@pytest.mark.parametrize(
    "name",
    [
        *["Set5/LRbicx4", "Set5/LR_bicubic/X4", "LR/LRBI", "DIV2K_valid_LR_bicubic/X4", "Set5/LR"],
        *["DIV2K_valid_LR_unknown/X2", "DIV2K_valid_LR_mild", "DIV2K_valid_LR_x8", "set/lr"],
        *["Set5/LRblurx4", "Set5_LR", "Set14/lr_bicubic"],
    ],
)
def test_low_resolution_images_are_not_taken_for_ground_truth(tmp_path, name):
    folders(tmp_path, name)
    with pytest.raises(ValueError, match="holds low-resolution images, by its name"):
        pair_folders(str(tmp_path / name), scale=4)
    folders(tmp_path, "HR")
    pair_folders(f"{tmp_path / 'HR'}:{tmp_path / name}", scale=4)


@pytest.mark.parametrize("name", ["run_lr_1e-4", "LRS3", "valrings", "HRLR"])
def test_nor_are_folders_refused_whose_names_only_look_so(tmp_path, name):
    folders(tmp_path, name)
    assert pair_folders(str(tmp_path / name), scale=4) == (tmp_path / name, None)


def test_paths_with_a_drive_are_two_folders_all_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders(tmp_path, "C:/a", "D:/b")
    assert pair_folders("C:/a:D:/b", scale=4) == (Path("C:/a"), Path("D:/b"))
    assert pair_folders("C:/a", scale=4) == (Path("C:/a"), None)
    with pytest.raises(ValueError, match=r"^D:/gone must be a folder of images, and there is none"):
        pair_folders("C:/a:D:/gone", scale=4)
    with pytest.raises(ValueError, match=r"^E:/gone must be a folder"):
        pair_folders("E:/gone", scale=4)
