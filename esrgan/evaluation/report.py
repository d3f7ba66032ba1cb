"""Benchmark results as a Markdown text and as data for JSON."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from esrgan.evaluation.benchmark import BenchmarkResult
from esrgan.evaluation.ranking import best_methods, directed


def as_markdown(results: Sequence[BenchmarkResult], *, per_image: bool = True) -> str:
    """Means for each benchmark, over all of them side by side if there are several, protocol.

    The best of several methods is in bold.

    Args:
        results: with the same methods and metrics.
        per_image: also the values of each image.
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
                "means": {name: _finite(means) for name, means in result.means().items()},
                "images": [
                    {"image": score.image, "method": score.method, **_finite(score.values)}
                    for score in result.scores
                ],
            }
            for result in results
        ]
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | str]:
    return {name: v if math.isfinite(v) else str(v) for name, v in values.items()}


def _section(result: BenchmarkResult, *, per_image: bool) -> Iterable[str]:
    means = result.means()
    metrics = _metrics(result)
    num_images = len({score.image for score in result.scores})
    yield f"## {result.name} ({num_images} image{'s' if num_images > 1 else ''})\n"
    best = {metric: best_methods(means, metric) for metric in metrics}
    rows = [
        [method, *(_mean(row, metric, method in best[metric]) for metric in metrics)]
        for method, row in means.items()
    ]
    yield from _table(["method", *map(directed, metrics)], rows, num_words=1)
    yield ""
    if per_image:
        rows = [
            [score.image, score.method, *(_number(score.values.get(m), 6) for m in metrics)]
            for score in result.scores
        ]
        yield from _table(["image", "method", *map(directed, metrics)], rows, num_words=2)
        yield ""


def _overview(results: Sequence[BenchmarkResult]) -> Iterable[str]:
    means = [result.means() for result in results]
    rows = []
    for metric in _metrics(results[0]):
        best = [best_methods(of_one, metric) for of_one in means]
        for method, row in means[0].items():
            if metric in row:
                cells = [
                    _mean(m[method], metric, method in b) for m, b in zip(means, best, strict=True)
                ]
                rows.append([directed(metric), method, *cells])
    yield "## All benchmarks\n"
    yield from _table(["metric", "method", *(r.name for r in results)], rows, num_words=2)
    yield ""


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


def _metrics(result: BenchmarkResult) -> list[str]:
    return list(dict.fromkeys(metric for score in result.scores for metric in score.values))


def _mean(row: Mapping[str, float], metric: str, is_best: bool) -> str:
    text = _number(row.get(metric), 4)
    return f"**{text}**" if is_best else text


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _table(header: list[str], rows: list[list[str]], *, num_words: int) -> Iterable[str]:
    """Aligned as plain text too: `num_words` columns of words at the left, then numbers."""
    rows = [[cell.replace("|", "\\|") for cell in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(cells: list[str]) -> str:
        words = [c.ljust(w) for c, w in zip(cells[:num_words], widths, strict=False)]
        numbers = [c.rjust(w) for c, w in zip(cells[num_words:], widths[num_words:], strict=True)]
        return f"| {' | '.join(words + numbers)} |"

    rules = ["-" * w for w in widths[:num_words]] + [
        "-" * (w - 1) + ":" for w in widths[num_words:]
    ]
    yield line(rows[0])
    yield f"| {' | '.join(rules)} |"
    yield from map(line, rows[1:])
