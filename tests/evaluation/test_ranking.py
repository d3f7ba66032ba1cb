from esrgan.evaluation import best_methods
from esrgan.evaluation.ranking import directed

MEANS = {
    "a": {"PSNR-Y": 30.00001, "NIQE": 4.0, "LPIPS": 0.2},
    "b": {"PSNR-Y": 30.00002, "NIQE": 5.0, "LPIPS": 0.1},
    "GT": {"NIQE": 3.0},
}


def test_the_best_is_the_largest_or_smallest_and_never_the_ground_truth():
    assert best_methods(MEANS, "NIQE") == ["a"]
    assert best_methods(MEANS, "LPIPS") == ["b"]


def test_methods_that_a_table_shows_as_equal_are_the_best_together():
    assert best_methods(MEANS, "PSNR-Y") == ["a", "b"]


def test_a_single_method_is_not_the_best_of_anything():
    assert not best_methods({"a": {"NIQE": 4.0}, "GT": {"NIQE": 3.0}}, "NIQE")


def test_the_arrow_shows_where_better_is():
    names = ("PSNR-Y", "SSIM-RGB", "MA", "RMSE-Y", "NIQE", "LPIPS", "LPIPS-VGG", "DISTS", "PI")
    assert "".join(directed(name)[-1] for name in names) == "↑↑↑↓↓↓↓↓↓"
