"""Which way metrics are better, and which methods are the best."""

from collections.abc import Collection, Mapping

from esrgan.evaluation.benchmark import GROUND_TRUTH

LOWER_IS_BETTER = frozenset({"RMSE-Y", "NIQE", "LPIPS", "LPIPS-VGG", "DISTS", "PI"})
"""Of all other metrics the larger value is better."""

_DIGITS = 4  # methods that are equal in so many share their place


def best_methods(means: Mapping[str, Mapping[str, float]], metric: str) -> Collection[str]:
    """Those with the best of several values, ties included; the ground truth is out of the race."""
    values = {
        method: round(row[metric], _DIGITS)
        for method, row in means.items()
        if method != GROUND_TRUTH and metric in row
    }
    if len(values) < 2:
        return ()
    best = (min if metric in LOWER_IS_BETTER else max)(values.values())
    return [method for method, value in values.items() if value == best]


def directed(metric: str) -> str:
    """The name with an arrow that shows where better is."""
    return f"{metric} {'↓' if metric in LOWER_IS_BETTER else '↑'}"
