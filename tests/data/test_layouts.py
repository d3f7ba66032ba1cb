import pytest

from esrgan.data.layouts import benchmark_name, pair_folders


@pytest.mark.parametrize(
    ("gt", "lq"), [("HR", "LRbicx4"), ("GTmod12", "LRbicx4"), ("HR", "LR_bicubic/X4"), ("gt", "lq")]
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
    with pytest.raises(ValueError, match="neither LRbicx2"):
        pair_folders(str(tmp_path), scale=2)
    with pytest.raises(ValueError, match="nowhere must be a folder"):
        pair_folders("nowhere", scale=2)
