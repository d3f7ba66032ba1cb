"""Benchmark results as a Markdown text and as data for JSON."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from esrgan.evaluation.benchmark import BenchmarkResult


def as_markdown(results: Sequence[BenchmarkResult]) -> str:
    """A section for each benchmark: means, the values of the images, and the protocol."""
    return "\n".join(chain.from_iterable(_section(result) for result in results))


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


def _section(result: BenchmarkResult) -> Iterable[str]:
    metrics = list(result.scores[0].values)
    num_images = len({score.image for score in result.scores})
    yield f"## {result.name} ({num_images} images)\n"
    yield from _table(
        ["method", *metrics],
        [
            [method, *(f"{means[metric]:.4f}" for metric in metrics)]
            for method, means in result.means().items()
        ],
        num_words=1,
    )
    yield ""
    yield from _table(
        ["image", "method", *metrics],
        [
            [score.image, score.method, *(f"{score.values[metric]:.6f}" for metric in metrics)]
            for score in result.scores
        ],
        num_words=2,
    )
    yield "\nProtocol:\n"
    yield from (f"- {subject}: {words}" for subject, words in result.protocol.items())
    yield ""


def _table(header: list[str], rows: list[list[str]], *, num_words: int) -> Iterable[str]:
    """Aligned as plain text too: `num_words` columns of words at the left, then numbers."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells: list[str]) -> str:
        words = [c.ljust(w) for c, w in zip(cells[:num_words], widths, strict=False)]
        numbers = [c.rjust(w) for c, w in zip(cells[num_words:], widths[num_words:], strict=True)]
        return f"| {' | '.join(words + numbers)} |"

    rules = ["-" * w for w in widths[:num_words]] + [
        "-" * (w - 1) + ":" for w in widths[num_words:]
    ]
    yield line(header)
    yield f"| {' | '.join(rules)} |"
    yield from map(line, rows)
