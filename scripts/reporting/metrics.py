"""How metrics are called and written, which way is up, and what they are to be held against."""

import math
from collections.abc import Mapping, Sequence

from esrgan.evaluation import standard_metrics
from esrgan.settings import suggestion
from reporting.runs import Run

LOWER_IS_BETTER = ("color", "dists", "lpips", "niqe", "pi")  # the first part of their names


def choose_metrics(runs: Sequence[Run], asked: Sequence[str] | None) -> list[str]:
    """What is reported of the validation metrics: those asked for, by default all of them.

    Raises:
        ValueError: one that was asked for is in no run.
    """
    known = list(dict.fromkeys(name for run in runs for name in run.metrics))
    for name in asked or ():
        if name not in known:
            hint = suggestion(name, known) if known else "none of them was validated yet"
            raise ValueError(f"--metrics: {name} is not a metric of these runs: {hint}")
    return list(dict.fromkeys(asked or known))


def under_crops(asked: Sequence[str] | None) -> list[str]:
    """What is written below a figure's crops: those asked for that images can be measured by."""
    measurable = standard_metrics(crop=0)
    return [name for name in asked or () if metric_label(name) in measurable] or ["psnr_y"]


def metric_label(name: str) -> str:
    """`psnr_y` as papers and scripts/evaluate.py write it: PSNR-Y."""
    return name.upper().replace("_", "-")


def metric_text(name: str, value: float) -> str:
    return f"{value:.{2 if _family(name) == 'psnr' else 4}f}"


def best_value(name: str, values: Sequence[float]) -> float | None:
    """Of several; a single one is not the best of anything."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return None
    return min(finite) if _family(name) in LOWER_IS_BETTER else max(finite)


def common_baseline(runs: Sequence[Run]) -> Mapping[str, float] | None:
    """What bicubic interpolation reaches; None where it differs: so do the validation images."""
    baselines = [run.bicubic for run in runs if run.bicubic]
    merged = {name: value for one in baselines for name, value in one.items()}
    same = all(
        math.isclose(one[name], merged[name], rel_tol=1e-6) for one in baselines for name in one
    )
    return merged if same else None


def _family(name: str) -> str:
    return name.partition("_")[0].lower()
