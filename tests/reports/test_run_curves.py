import pytest

from esrgan.reports.run_curves import MOST_POINTS, curve_panels, smoothed


def line(iteration, **values):
    return {"iteration": iteration} | values


@pytest.fixture
def runs(new_run):
    return [
        new_run(
            "a",
            train=[line(1, pixel=0.5, gradient_norm=1.0, learning_rate_0=1e-4), line(2, pixel=0.1)],
            validation=[line(1, **{"PSNR-Y": 27.0, "bicubic_PSNR-Y": 28.0})],
        ),
        new_run(
            "b",
            train=[line(1, pixel=0.2, adversarial=2.0)],
            validation=[line(2, **{"SSIM-Y": 0.9})],
        ),
    ]


def test_a_panel_for_each_metric_and_for_each_loss_that_several_runs_have(runs):
    panels = curve_panels(runs, ["PSNR-Y", "SSIM-Y"])
    assert {panel.title: panel.curves for panel in panels} == {
        "PSNR-Y": {"a": [(1, 27.0)]},
        "SSIM-Y": {"b": [(2, 0.9)]},
        "training: pixel": {"a": [(1, 0.5), (2, 0.1)], "b": [(1, 0.2)]},
    }
    assert panels[0].levels == {"bicubic": 28.0}
    assert [panel.logarithmic for panel in panels] == [False, False, True]


def test_of_a_single_run_all_losses_are_shown(runs):
    titles = [panel.title for panel in curve_panels(runs[1:], [])]
    assert titles == ["training: pixel", "training: adversarial"]


def test_runs_that_logged_nothing_have_no_panels(new_run):
    assert curve_panels([new_run("a")], ["PSNR-Y"]) == []


def test_very_many_points_become_means_of_neighbours_and_few_stay():
    few = [(float(x), 1.0) for x in range(MOST_POINTS)]
    assert smoothed(few) == few
    many = [(float(x), float(x % 2)) for x in range(2 * MOST_POINTS)]
    assert smoothed(many) == [(2 * x + 0.5, 0.5) for x in range(MOST_POINTS)]
    assert smoothed([]) == []
