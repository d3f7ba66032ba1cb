"""The card that the catalogue takes, by the rules of its own validator."""

import hashlib
import json
import re
from functools import partial

import numpy as np
import pytest
import yaml
from PIL import Image as Pillow
from small_upscaler import by_network, noise, tiny_network

from esrgan.commands import export
from esrgan.errors import FAILED
from esrgan.networks import SRVGGNetCompact
from esrgan.weights import save_release

AUTHOR = {
    "name": "4x-Mine_v2",
    "author": ["somebody"],
    "license": "CC-BY-4.0",
    "tags": ["photo", "restoration"],
    "description": "  For *photographs*.\n",
    "url": "https://example.org/releases/",
    "date": "2026-11-27",
}
RECIPE = {"batch_size": 8, "patch_size": 128, "degradations": {"steps": {}}}
KINDS = {  # required, then optional: src/lib/model-props.ts of OpenModelDB/open-model-database
    "name": str,
    "author": (str, list),
    "tags": list,
    "description": str,
    "date": str,
    "architecture": str,
    "scale": int,
    "inputChannels": int,
    "outputChannels": int,
    "resources": list,
    "images": list,
}
OPTIONAL = {
    "license": (str, type(None)),
    "size": (list, type(None)),
    "dataset": str,
    "datasetSize": int,
    "trainingIterations": int,
    "trainingBatchSize": int,
    "trainingHRSize": int,
    "trainingOTF": bool,
    "pretrainedModelG": str,
    "pretrainedModelD": str,
}


def validate(card):
    assert KINDS.keys() <= card.keys() <= KINDS.keys() | OPTIONAL.keys()
    for key, value in card.items():
        assert isinstance(value, {**KINDS, **OPTIONAL}[key]), key
    assert card["description"] == card["description"].strip()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", card["date"])
    assert 1 <= card["scale"] <= 16
    assert card["tags"] and card["resources"]
    for resource in card["resources"]:
        assert resource.keys() == {"platform", "type", "size", "sha256", "urls"}
        assert resource["type"] in ("pth", "safetensors", "onnx")
        assert resource["platform"] in ("pytorch", "onnx", "ncnn")
        assert resource["size"] >= 1
        assert re.fullmatch("[0-9a-f]{64}", resource["sha256"])
        assert resource["urls"]
    for image in card["images"]:
        assert image.keys() == {"type", "LR", "SR"}


@pytest.fixture
def run(call):
    return partial(call, "export.py", export.main)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A release with what a run said of it, and what its author says."""
    about = {
        "recipe": json.dumps(RECIPE),
        "iterations": "5000",
        "metrics": json.dumps({"iteration": 5000, "PSNR-Y": 31.25}),
    }
    save_release(tmp_path / "run.pth", tiny_network(0), metadata=about)
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(AUTHOR))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_card_has_what_the_run_and_its_author_know(run, place):
    assert run("run.pth", "--output", "out/mine.pth")[0] == 0
    code, printed, _ = run("run.pth", "--output", "out/mine.safetensors", "--card", "card.yaml")
    assert code == 0
    assert "out/mine.json (4x-Mine-v2.json there), out/mine.md" in printed
    card = json.loads((place / "out/mine.json").read_text())
    validate(card)
    assert (card["architecture"], card["size"], card["scale"]) == ("esrgan", ["4nf", "1nb"], 4)
    assert (card["trainingIterations"], card["trainingBatchSize"]) == (5000, 8)
    assert (card["trainingHRSize"], card["trainingOTF"]) == (128, True)
    files = {resource["type"]: resource for resource in card["resources"]}
    assert list(files) == ["pth", "safetensors"]
    for kind, resource in files.items():
        content = (place / f"out/mine.{kind}").read_bytes()
        assert resource["size"] == len(content)
        assert resource["sha256"] == hashlib.sha256(content).hexdigest()
        assert resource["urls"] == [f"https://example.org/releases/mine.{kind}"]
    page = (place / "out/mine.md").read_text()
    assert page.startswith("# 4x-Mine_v2\n\nFor *photographs*.\n")
    assert "| metrics | PSNR-Y 31.25 |" in page
    assert files["pth"]["sha256"] in page


def test_pictures_are_shown_before_and_after(run, place):
    lq = noise(9, 7, 3)
    Pillow.fromarray(lq).save(place / "cat.png")
    (place / "card.yaml").write_text(yaml.safe_dump({**AUTHOR, "pictures": ["cat.png"]}))
    words = ["run.pth", "--output", "mine.safetensors", "--card", "card.yaml"]
    assert run(*words)[0] == 0
    card = json.loads((place / "mine.json").read_text())
    validate(card)
    base = "https://example.org/releases/mine_cat"
    paired = {"type": "paired", "LR": f"{base}_before.png", "SR": f"{base}_after.png"}
    assert card["images"] == [paired]
    before, after = (np.asarray(Pillow.open(f"mine_cat_{n}.png")) for n in ("before", "after"))
    np.testing.assert_array_equal(before, lq.repeat(4, axis=0).repeat(4, axis=1))
    np.testing.assert_array_equal(after, by_network(tiny_network(0), lq))
    assert (
        "| ![](mine_cat_before.png) | ![](mine_cat_after.png) |" in (place / "mine.md").read_text()
    )
    code, _, errors = run(*words[:-2], "--overwrite", "--card", "card.yaml")
    assert code == 0, errors


def test_what_the_author_says_goes_before_what_the_run_knows(run, place):
    (place / "card.yaml").write_text(
        yaml.safe_dump({**AUTHOR, "license": None, "trainingHRSize": 96, "dataset": "Nomos"})
    )
    save_release("c.pth", SRVGGNetCompact(num_features=8, num_convs=2), metadata={})
    assert run("c.pth", "--output", "mine.pth", "--card", "card.yaml")[0] == 0
    card = json.loads((place / "mine.json").read_text())
    validate(card)
    assert (card["architecture"], card["size"]) == ("compact", ["8nf", "2nc"])
    assert (card["trainingHRSize"], card["dataset"]) == (96, "Nomos")
    assert "trainingIterations" not in card
    assert "| licence | none |" in (place / "mine.md").read_text()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"url": ..., "tags": ...},
            "lacks what only you know: tags (a list in sm",
        ),
        ({"tag": ["a"]}, "tag is none of its fields: "),
        ({"tags": []}, "tags ([]) must be a list"),
        ({"tags": ["Photo"]}, "tags (['Photo']) must be a list in small letters"),
        ({"license": "CC BY 4.0"}, "license (CC BY 4.0) must be an SPDX expression"),
        ({"trainingIterations": "many"}, "(many) must be a whole number of at least 1"),
        ({"size": "64nf"}, "size (64nf) must be a list, as [64nf, 23nb]"),
        ({"pretrainedModelG": "mine.pth"}, "pretrainedModelG (mine.pth) must be as 4x-Mine-v2"),
        ({"url": "here"}, "url (here) must be the folder that the files will be downloaded from"),
        ({"date": "soon"}, "date (soon) must be a day, as 2026-11-27"),
        ({"pictures": "none.png"}, "none.png does not exist"),
    ],
)
def test_what_is_missing_or_wrong_is_said_before_the_work(run, place, changes, reason):
    values = {k: v for k, v in {**AUTHOR, **changes}.items() if v is not ...}
    (place / "card.yaml").write_text(yaml.safe_dump(values))
    code, printed, errors = run("run.pth", "--output", "mine.pth", "--card", "card.yaml")
    assert (code, printed) == (FAILED, "")
    assert "card.yaml" in errors
    assert reason in errors
    assert len(errors.splitlines()) == 1
    assert not (place / "mine.pth").exists()


def test_nothing_is_written_over_unasked(run, place):
    (place / "mine.md").write_text("mine")
    code, _, errors = run("run.pth", "--output", "mine.pth", "--card", "card.yaml")
    assert code == FAILED
    assert "mine.md exists" in errors
    assert (place / "mine.md").read_text() == "mine"


def test_a_file_that_the_catalogue_does_not_list_needs_another_beside_it(run, place):
    code, _, errors = run("run.pth", "--output", "a-x4.param", "--card", "card.yaml")
    assert code == FAILED
    assert "the catalogue lists .pth, .safetensors, .onnx, and none of them is beside" in errors
    assert not (place / "a-x4.param").exists()
