"""Tables in Markdown; the results of benchmarks as such tables, and as data for JSON."""

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from esrgan.evaluation.benchmarks import GROUND_TRUTH, BenchmarkResult
from esrgan.evaluation.metrics import Metric
from esrgan.files import write_whole

SCORE_FILES = ("scores.json", "scores.md")
_MEAN_DIGITS = 4


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, words: Sequence[int] = (0,)
) -> str:
    """A table that is aligned as plain text too: numbers to the right, words to the left.

    `words` are the columns, counted from 0, that have words.
    """
    columns = []
    for number, column in enumerate(zip(header, *rows, strict=True)):
        cells = [cell.replace("|", "\\|") for cell in column]
        width = max(3, *map(len, cells))
        if number in words:
            rule, cells = "-" * width, [cell.ljust(width) for cell in cells]
        else:
            rule, cells = "-" * (width - 1) + ":", [cell.rjust(width) for cell in cells]
        columns.append([cells[0], rule, *cells[1:]])
    return "\n".join(f"| {' | '.join(line)} |" for line in zip(*columns, strict=True))


class Mean(NamedTuple):
    """A cell of a table of means; None: it was not measured."""

    value: float | None
    is_best: bool

    @property
    def markdown(self) -> str:
        """The best of several methods in bold."""
        text = _number(self.value, _MEAN_DIGITS)
        return f"**{text}**" if self.is_best else text


def best_methods(means: Mapping[str, Mapping[Metric, float]], metric: Metric) -> Collection[str]:
    """Those with the best of several values; what is equal as a table shows it is so together.

    The ground truth is out of the race.
    """
    values = {
        method: round(row[metric], _MEAN_DIGITS)
        for method, row in means.items()
        if method != GROUND_TRUTH and metric in row
    }
    if len(values) < 2:
        return ()
    costs = {method: metric.cost(value) for method, value in values.items()}
    return [method for method, cost in costs.items() if cost == min(costs.values())]


def table_of_means(result: BenchmarkResult) -> dict[str, dict[Metric, Mean]]:
    """For each method and each of the result's metrics."""
    means = result.means()
    best = {metric: best_methods(means, metric) for metric in result.metrics}
    return {
        method: {metric: Mean(row.get(metric), method in best[metric]) for metric in best}
        for method, row in means.items()
    }


def as_markdown(results: Sequence[BenchmarkResult], *, per_image: bool = True) -> str:
    """Means for each benchmark, over all of them side by side if there are several, protocol.

    The results have the same methods and metrics; `per_image` adds the values of each image.
    """
    sections = [_section(result, per_image=per_image) for result in results]
    if len(results) > 1:
        sections.append(_overview(results))
    return "\n".join(chain(*sections, _protocol(results)))


def as_json(results: Sequence[BenchmarkResult]) -> dict[str, object]:
    """Plain data at full precision.

    JSON has no number for the infinite PSNR of identical images: it becomes the string "inf", which
    Python's float() and most other parsers of numbers read.
    """
    return {
        "benchmarks": [
            {
                "name": result.name,
                "protocol": dict(result.protocol),
                "means": {name: _plain(means) for name, means in result.means().items()},
                "images": [
                    {"image": score.image, "method": score.method, **_plain(score.values)}
                    for score in result.scores
                ],
            }
            for result in results
        ]
    }


def write_scores(results: Sequence[BenchmarkResult], folder: Path) -> None:
    """Both, over earlier ones."""
    folder.mkdir(parents=True, exist_ok=True)
    data = json.dumps(as_json(results), indent=2, allow_nan=False)
    for name, text in zip(SCORE_FILES, (f"{data}\n", as_markdown(results)), strict=True):
        write_whole(folder / name, text.encode(), overwrite=True)


def _plain(values: Mapping[Metric, float]) -> dict[str, float | str]:
    return {metric.name: v if math.isfinite(v) else str(v) for metric, v in values.items()}


def _section(result: BenchmarkResult, *, per_image: bool) -> Iterable[str]:
    num_images = result.num_images
    yield f"## {result.name} ({num_images} image{'s' if num_images > 1 else ''})\n"
    header = [metric.directed for metric in result.metrics]
    rows = [
        [method, *(mean.markdown for mean in row.values())]
        for method, row in table_of_means(result).items()
    ]
    yield markdown_table(["method", *header], rows) + "\n"
    if per_image:
        rows = [
            [one.image, one.method, *(_number(one.values.get(m), 6) for m in result.metrics)]
            for one in result.scores
        ]
        yield markdown_table(["image", "method", *header], rows, words=(0, 1)) + "\n"


def _overview(results: Sequence[BenchmarkResult]) -> Iterable[str]:
    tables = [table_of_means(result) for result in results]
    rows = [
        [metric.directed, method, *(table[method][metric].markdown for table in tables)]
        for metric in results[0].metrics
        for method, row in tables[0].items()
        if row[metric].value is not None
    ]
    yield "## All benchmarks\n"
    header = ["metric", "method", *(result.name for result in results)]
    yield markdown_table(header, rows, words=(0, 1)) + "\n"


def _protocol(results: Sequence[BenchmarkResult]) -> Iterable[str]:
    """What all have in common once; what differs under the name of its benchmark."""
    yield "Protocol:\n"
    for subject in dict.fromkeys(chain(*(result.protocol for result in results))):
        found = [(r.name, r.protocol[subject]) for r in results if subject in r.protocol]
        if len(found) == len(results) and len({words for _, words in found}) == 1:
            yield f"- {subject}: {found[0][1]}"
        else:
            yield from (f"- {subject}, {name}: {words}" for name, words in found)
    yield ""


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
