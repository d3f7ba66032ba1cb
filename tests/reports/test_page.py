import base64
import io
import math
import os
import tracemalloc
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import esrgan.reports.page
from esrgan.evaluation import METRICS, BenchmarkResult, Comparison, Metric, Score
from esrgan.reports.page import open_page

HOSTILE = """<script>window.hacked = 1</script>.png" onload="hacked=1' & </h3>-->"""


PSNR_Y, NIQE = METRICS["PSNR-Y"], METRICS["NIQE"]
HOSTILE_METRIC = Metric(
    name=HOSTILE, larger_is_better=True, digits=2, about=HOSTILE, load=lambda _: None
)


def noise(seed, size=(24, 16)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def comparison(key="house", method="ours", values=None):
    values = {PSNR_Y: 28.426, METRICS["SSIM-Y"]: 0.81114} if values is None else values
    images = {method: noise(1), "other": noise(2)}
    return Comparison(key, noise(0, (6, 4)), noise(3), images, (Score(key, method, values),))


def result(rows, name="Set1", protocol=None):
    scores = tuple(Score("house", method, values) for method, values in rows.items())
    return BenchmarkResult(name, protocol or {}, scores)


class Elements(HTMLParser):
    """The elements of a page in order, with the text directly inside each."""

    def __init__(self, text):
        super().__init__()
        self.found, self._open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes), []))
        if tag not in ("meta", "img", "input"):
            self._open.append(self.found[-1])

    def handle_endtag(self, tag):
        while self._open.pop()[0] != tag:
            pass

    def handle_data(self, text):
        if self._open:
            self._open[-1][2].append(text)

    def named(self, tag):
        return [
            (attributes, "".join(texts)) for name, attributes, texts in self.found if name == tag
        ]

    def texts(self, tag):
        return [text.strip() for _, text in self.named(tag)]

    def data(self):
        return [(a, text) for a, text in self.named("script") if a.get("type")]


@pytest.fixture
def write(tmp_path):
    def write_page(comparisons=(), results=(), title="A title", benchmark="Set1"):
        path = tmp_path / "page.html"
        with open_page(path, title=title, overwrite=True) as page:
            for one in comparisons:
                page.add(benchmark, one)
            page.finish(results)
        return path.read_text("utf-8")

    return write_page


def pixels(block):
    attributes, text = block
    encoded = io.BytesIO(base64.b64decode(text))
    with Image.open(encoded) as image:
        assert image.get_format_mimetype() == attributes["type"]
        return np.asarray(image.convert("RGB"))


def test_a_page_holds_every_pixel_of_every_image(write):
    one = comparison()
    blocks = Elements(write([one])).data()
    assert [a["data-name"] for a, _ in blocks] == ["LQ", "ours", "other", "GT"]
    for block, image in zip(blocks, [one.lq, *one.outputs.values(), one.gt], strict=True):
        np.testing.assert_array_equal(pixels(block), image)


def test_an_image_too_large_for_webp_is_held_as_well(write, monkeypatch):
    monkeypatch.setattr(esrgan.reports.page, "_MAX_WEBP_SIDE", 23)
    blocks = Elements(write([comparison()])).data()
    assert [a["type"] for a, _ in blocks] == ["image/webp", *["image/png"] * 3]
    np.testing.assert_array_equal(pixels(blocks[-1]), noise(3))


def test_images_stand_in_their_order_with_sizes_names_and_scores(write):
    page = Elements(write([comparison("a"), comparison("b", values={PSNR_Y: math.inf})]))
    assert page.texts("h3") == ["a", "b"]
    assert page.named("article")[0][0] == {"data-width": "16", "data-height": "24"}
    scores = [a["data-scores"] for a, _ in page.data()]
    assert scores == ["", "PSNR-Y 28.43\nSSIM-Y 0.8111", "", "", "", "PSNR-Y ∞", "", ""]


def test_the_ground_truth_can_have_scores_too(write):
    one = comparison()
    scores = (*one.scores, Score("house", "GT", {NIQE: 5.214}))
    page = Elements(write([Comparison("house", one.lq, one.gt, one.outputs, scores)]))
    assert page.data()[-1][0]["data-scores"] == "NIQE 5.21"


def test_names_are_shown_as_they_are_and_never_become_part_of_the_page(write):
    plain = Elements(write([comparison()], [result({"ours": {PSNR_Y: 1}}, protocol={"a": "b"})]))
    page = Elements(
        write(
            [comparison(HOSTILE, HOSTILE, {HOSTILE_METRIC: 1.0})],
            [result({HOSTILE: {HOSTILE_METRIC: 1.0}}, HOSTILE, {HOSTILE: HOSTILE})],
            title=HOSTILE,
            benchmark=HOSTILE,
        )
    )
    assert [tag for tag, *_ in page.found] == [tag for tag, *_ in plain.found]
    for tag in ("title", "h1", "dt", "dd"):
        assert page.texts(tag) == [HOSTILE]
    for tag, text in (
        ("h2", HOSTILE),
        ("h3", HOSTILE),
        ("small", HOSTILE),
        ("th", HOSTILE),
        ("th", f"{HOSTILE} ↑"),
    ):
        assert text in page.texts(tag)
    assert page.data()[1][0]["data-name"] == HOSTILE
    assert page.data()[1][0]["data-scores"] == f"{HOSTILE} 1.00"
    assert set(page.data()[1][0]) == {"type", "data-name", "data-scores"}


def test_a_name_that_is_no_text_is_still_shown(write):
    page = Elements(write([comparison("a\udce9b")], [result({"\udce9t\udce9": {PSNR_Y: 1}})]))
    assert page.texts("h3") == ["a?b"]
    assert page.texts("th")[-1] == "?t?"


def test_a_page_asks_for_nothing_and_forbids_itself_to(write):
    text = write([comparison()])
    page = Elements(text)
    (policy,) = (a["content"] for a, _ in page.named("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert not {"link", "iframe", "object", "base"} & {tag for tag, *_ in page.found}
    assert not any({"src", "href", "srcset"} & set(attributes) for _, attributes, _ in page.found)
    assert not any(word in text for word in ("http:", "https:", "url(", "@import", "fetch("))


def test_the_tables_come_first_and_mark_the_best_of_each_metric(write):
    rows = {"bicubic": {PSNR_Y: 28.43, NIQE: 7.5}, "ours": {PSNR_Y: 27.1, NIQE: 3.2}}
    rows["GT"] = {NIQE: 2.9}
    text = write([comparison()], [result(rows, protocol={"scale": "x4"})])
    page = Elements(text)
    assert text.endswith("</html>\n")
    assert text.index("<table>") < text.index("<article")
    assert page.texts("th") == ["method", "PSNR-Y ↑", "NIQE ↓", "bicubic", "ours", "GT"]
    assert page.texts("td") == ["", "7.50", "27.10", "", "", "2.90"]
    assert page.texts("strong") == ["28.43", "3.20"]
    assert (page.texts("dt"), page.texts("dd")) == (["scale"], ["x4"])


@pytest.mark.parametrize(
    ("values", "best"),
    [([1.0], []), ([-2.0, 0.0, -1.0], ["0.00"]), ([4.0, 4.0], ["4.00"] * 2)],
)
def test_the_best_is_that_of_several_numbers(write, values, best):
    rows = {f"method {index}": {PSNR_Y: value} for index, value in enumerate(values)}
    assert Elements(write([], [result(rows)])).texts("strong") == best


def test_a_table_counts_images_and_shows_means(write):
    scores = tuple(Score(f"{v}", "ours", {PSNR_Y: v}) for v in (20.0, 30.0, 31.0))
    page = Elements(write([], [BenchmarkResult("Set3", {}, scores)]))
    assert page.texts("td") == ["27.00"]
    assert page.texts("small") == ["3 images"]


def test_a_method_called_like_an_image_is_refused(tmp_path):
    with (
        open_page(tmp_path / "page.html", title="") as page,
        pytest.raises(ValueError, match="no method may be called GT"),
    ):
        page.add("Set1", comparison(method="GT"))


def test_an_existing_file_is_written_over_only_when_asked(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("mine")
    with pytest.raises(ValueError, match=r"page\.html exists"), open_page(path, title=""):
        pass
    assert path.read_text() == "mine"
    with open_page(path, title="", overwrite=True) as page:
        assert path.read_text() == "mine"
        page.finish([])
    assert path.read_text() != "mine"


def test_a_file_that_appeared_while_images_were_computed_is_kept(tmp_path):
    path = tmp_path / "page.html"
    with pytest.raises(ValueError, match="exists"), open_page(path, title="") as page:
        path.write_text("mine")
        page.finish([])
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_interrupted_or_finds_the_disk_full_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    with pytest.raises(KeyboardInterrupt), open_page(path, title="") as page:
        page.add("Set1", comparison())
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())

    def fail(*_):
        assert list(tmp_path.glob(".*.partial"))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"), open_page(path, title="") as page:
        page.add("Set1", comparison())
        page.finish([])
    assert not list(tmp_path.iterdir())


def test_images_are_not_kept_in_memory(tmp_path):
    with open_page(tmp_path / "page.html", title="") as page:
        page.add("Set1", comparison())
        tracemalloc.start()
        for _ in range(50):
            page.add("Set1", comparison())
        page.finish([])
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert kept < 50_000  # the images are 180 000 bytes
    assert (tmp_path / "page.html").stat().st_size > 180_000


def test_a_full_disk_names_the_page(tmp_path, files_up_to):
    with (
        files_up_to(1000),
        pytest.raises(OSError, match=r"too large: '.*page\.html'"),
        open_page(tmp_path / "page.html", title="Title") as page,
    ):
        for _ in range(20):
            page.add("Set1", comparison())
    assert not list(tmp_path.iterdir())
