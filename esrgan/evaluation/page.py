"""A page that compares images under a slider: one file that any browser opens from disk."""

import base64
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import IO

from PIL import Image as Pillow

from esrgan.evaluation.benchmark import BenchmarkResult, Comparison
from esrgan.evaluation.color import Image
from esrgan.evaluation.crops import named_images, score_text
from esrgan.evaluation.ranking import best_methods, directed

_CONTENT = "<!-- content -->\n"
_MAX_WEBP_SIDE = 16383  # of the format


class Page:
    """Takes images one at a time, and keeps none of them in memory."""

    def __init__(self, path: Path, *, title: str, overwrite: bool, images: IO[str]) -> None:
        """`images` is an empty file to collect them in."""
        self._path = path
        self._title = title
        self._overwrite = overwrite
        self._images = images

    def add(self, benchmark: str, comparison: Comparison) -> None:
        """Shows an image below those before it. A score may be of GT or LQ, too.

        Raises:
            ValueError: a method is called LQ or GT.
        """
        self._images.writelines(_article(benchmark, comparison))

    def finish(self, results: Sequence[BenchmarkResult]) -> None:
        """Writes the file: title, tables and protocols of the results, images.

        Raises:
            ValueError: a file of this name has appeared in the meantime, not to be overwritten.
        """
        head, tail = files(__package__).joinpath("page.html").read_text("utf-8").split(_CONTENT)
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}.partial")
        try:
            # A file's name may have bytes that are no characters; they become question marks.
            with partial.open("w", encoding="utf-8", errors="replace") as page:
                page.write(head.replace("<!-- title -->", escape(self._title)))
                for result in results:
                    page.writelines(_section(result))
                self._images.seek(0)
                shutil.copyfileobj(self._images, page)
                page.write(tail)
            _refuse_existing(self._path, overwrite=self._overwrite)
            partial.replace(self._path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def open_page(path: Path, *, title: str, overwrite: bool = False) -> Iterator[Page]:
    """A page to add images to. The file appears, complete, with `Page.finish`; else there is none.

    Raises:
        ValueError: the file exists and `overwrite` is not set.
    """
    _refuse_existing(path, overwrite=overwrite)
    with tempfile.TemporaryFile(
        "w+", encoding="utf-8", errors="replace", dir=path.parent
    ) as images:
        yield Page(path, title=title, overwrite=overwrite, images=images)


def _refuse_existing(path: Path, *, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists and is not overwritten: remove it or choose another name")


def _article(benchmark: str, comparison: Comparison) -> Iterable[str]:
    """The name of an image, and each version of it as a block of data with its scores."""
    height, width = comparison.gt.shape[:2]
    scores = {score.method: score.values for score in comparison.scores}
    yield f'<article data-width="{width}" data-height="{height}">\n'
    yield f"<h3>{escape(comparison.key)} <small>{escape(benchmark)}</small></h3>\n"
    for name, image in named_images(comparison).items():
        lines = (f"{metric} {score_text(metric, v)}" for metric, v in scores.get(name, {}).items())
        joined = "\n".join(lines)
        about = f'data-name="{escape(name)}" data-scores="{escape(joined)}"'
        media_type, encoded = _encode(image)
        yield f'<script type="{media_type}" {about}>{base64.b64encode(encoded).decode()}</script>\n'
    yield "</article>\n"


def _encode(image: Image) -> tuple[str, bytes]:
    """Media type and content, lossless.

    Measured on Set5: WebP in this setting has 70 % of a PNG's size, in less time; higher ones
    take up to a hundred times as long for the last 6 %.
    """
    buffer = io.BytesIO()
    if max(image.shape) > _MAX_WEBP_SIDE:
        Pillow.fromarray(image).save(buffer, "PNG")
        return "image/png", buffer.getvalue()
    Pillow.fromarray(image).save(buffer, "WEBP", lossless=True, quality=20, method=2)
    return "image/webp", buffer.getvalue()


def _section(result: BenchmarkResult) -> Iterable[str]:
    """The means of a benchmark as a table, and its protocol."""
    means = result.means()
    metrics = list(dict.fromkeys(metric for row in means.values() for metric in row))
    num_images = len({score.image for score in result.scores})
    counted = f"{num_images} image{'s' if num_images > 1 else ''}"
    yield f"<section>\n<h2>{escape(result.name)} <small>{counted}</small></h2>\n"
    yield '<div class="table"><table>\n<tr><th scope="col">method</th>'
    yield from (f'<th scope="col">{escape(directed(metric))}</th>' for metric in metrics)
    yield "</tr>\n"
    best = {metric: best_methods(means, metric) for metric in metrics}
    for method, row in means.items():
        yield f'<tr><th scope="row">{escape(method)}</th>'
        yield from (_cell(metric, row.get(metric), method in best[metric]) for metric in metrics)
        yield "</tr>\n"
    yield "</table></div>\n<details><summary>Protocol</summary>\n<dl>\n"
    for subject, words in result.protocol.items():
        yield f"<dt>{escape(subject)}</dt><dd>{escape(words)}</dd>\n"
    yield "</dl>\n</details>\n</section>\n"


def _cell(metric: str, value: float | None, is_best: bool) -> str:
    text = "" if value is None else escape(score_text(metric, value))
    return f"<td><strong>{text}</strong></td>" if is_best else f"<td>{text}</td>"
