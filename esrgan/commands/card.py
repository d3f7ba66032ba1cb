"""The card of a model, as the catalogue OpenModelDB takes it, and a page about it with pictures.

The fields are those of the catalogue's own schema (OpenModelDB/open-model-database, in src/lib
schema.ts and model-props.ts). What a run knows of itself is filled in; what only its author knows,
and what is to be said otherwise, stands in a YAML file.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esrgan.commands.card_fields import ASKED, MORE, check_kinds
from esrgan.errors import listed, suggestion
from esrgan.files import check_target, write_whole
from esrgan.reports.card_page import card_page
from esrgan.runs import RunFolder
from esrgan.runs.settings import read_settings

if TYPE_CHECKING:
    from esrgan.weights import Generator

_IDS = {
    "RRDBNet": "esrgan",
    "SRVGGNetCompact": "compact",
    "SRResNet": "sr-res-net",
    "MSRResNet": "sr-res-net",
    "SRGANGenerator": "sr-res-net",
}
"""Of the catalogue's, by ours; those of spandrel have their own names in small letters."""
_SIZES = {"num_features": "nf", "num_blocks": "nb", "num_convs": "nc"}
_RESOURCES = {".pth": "pytorch", ".safetensors": "pytorch", ".onnx": "onnx"}


@dataclass(frozen=True)
class Asked:
    """What the author's file says, and where its results go."""

    values: Mapping[str, Any]
    pictures: Sequence[Path]
    output: Path
    overwrite: bool

    @property
    def card(self) -> Path:
        return self.output.with_suffix(".json")

    @property
    def page(self) -> Path:
        return self.output.with_suffix(".md")

    def picture(self, given: Path, part: str) -> Path:
        return self.output.with_name(f"{self.output.stem}_{given.stem}_{part}.png")


def read_asked(path: Path, output: Path, *, overwrite: bool) -> Asked:
    """What the author's file says; everything that can be refused is refused here.

    Raises:
        ValueError: the file cannot be read, lacks something, has what is not known or not of the
            right kind, a picture is missing, the catalogue would list no file, or a result exists
            and `overwrite` is not set.
    """
    values = _read(path)
    known = [*ASKED, *MORE]
    for key in values:
        if key not in known:
            raise ValueError(
                f"--card {path}: {key} is none of its fields: {suggestion(key, known)}"
            )
    missing = [f"{key} ({about})" for key, about in ASKED.items() if key not in values]
    if missing:
        raise ValueError(f"--card {path} lacks what only you know: {', '.join(missing)}")
    check_kinds(path, values)
    if not any(suffix == output.suffix or file.exists() for suffix, file in _listed(output)):
        raise ValueError(
            f"--card: the catalogue lists {listed(list(_RESOURCES))}, and none of them is beside "
            f"{output}: export one first"
        )
    asked = Asked(values, _pictures(path, values.get("pictures")), output, overwrite)
    for target in (asked.card, asked.page):
        check_target(target, overwrite=overwrite)
    for given in asked.pictures:
        for part in ("before", "after"):
            check_target(asked.picture(given, part), overwrite=overwrite)
    return asked


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"--card {path} cannot be read: {error}") from error
    return values if isinstance(values, dict) else {}


def _pictures(path: Path, given: object) -> list[Path]:
    words = given if isinstance(given, list) else [] if given is None else [given]
    pictures = [path.parent / str(word) for word in words]
    for picture in pictures:
        if not picture.is_file():
            raise ValueError(f"--card {path}: the picture {picture} does not exist")
    return pictures


def write_card(
    asked: Asked, network: "Generator", metadata: Mapping[str, str], run: Mapping[str, Any]
) -> str:
    """Write card and page beside the exported file; returns what there is to say of them.

    Args:
        asked: by the author.
        network: what was exported.
        metadata: what its file says of itself.
        run: the settings of the run that made it; empty: it is not known.
    """
    found = {**_of_network(network), **_of_training(metadata, run)}
    said = {k: v for k, v in asked.values.items() if k not in ("url", "pictures")}
    url = str(asked.values["url"])
    resources = [_resource(file, url) for _, file in _listed(asked.output) if file.exists()]
    card = found | said
    card["date"] = str(card.get("date") or datetime.now(UTC).date())
    card["description"] = card["description"].strip()
    pairs = [_before_and_after(asked, network, given) for given in asked.pictures]
    base = str(asked.values["url"]).rstrip("/")
    card["resources"] = resources
    card["images"] = [
        {"type": "paired", "LR": f"{base}/{before.name}", "SR": f"{base}/{after.name}"}
        for before, after in pairs
    ]
    text = json.dumps(card, indent=4, ensure_ascii=False) + "\n"
    write_whole(asked.card, text.encode(), overwrite=asked.overwrite)
    page = card_page(card, metadata, pairs).encode()
    write_whole(asked.page, page, overwrite=asked.overwrite)
    return f"{asked.card} ({_model_id(card)}), {asked.page}"


def run_settings(source: Path, metadata: Mapping[str, str]) -> Mapping[str, Any]:
    """Of the run in whose folder a release or checkpoint lies; empty where it is of another."""
    for folder in (source.parent, source.parent.parent):
        settings = RunFolder(folder).settings
        if settings.is_file() and metadata.get("run") == folder.resolve().name:
            return read_settings(settings)
    return {}


def _of_network(network: "Generator") -> dict[str, Any]:
    from esrgan.weights import architecture_of, scale_of

    about = architecture_of(network)
    name = str(about["network"])
    sizes = [f"{about[key]}{unit}" for key, unit in _SIZES.items() if key in about]
    return {
        "architecture": _IDS.get(name, name.lower()),
        "size": sizes or None,
        "scale": scale_of(network),
        "inputChannels": 3,
        "outputChannels": 3,
    }


def _of_training(metadata: Mapping[str, str], run: Mapping[str, Any]) -> dict[str, Any]:
    """What a release's recipe, or else the run's settings, say."""
    recipe = json.loads(metadata["recipe"]) if "recipe" in metadata else dict(run)
    found: dict[str, Any] = {}
    if "iterations" in metadata:
        found["trainingIterations"] = int(metadata["iterations"])
    for key, ours in (("trainingBatchSize", "batch_size"), ("trainingHRSize", "patch_size")):
        if ours in recipe:
            found[key] = recipe[ours]
    if "degradations" in recipe:
        found["trainingOTF"] = bool(recipe["degradations"])
    if run.get("train_set"):
        found |= _of_data_set(Path(run["train_set"]))
    return found


def _of_data_set(folder: Path) -> dict[str, Any]:
    from esrgan.data.manifest import read_manifest

    manifest = read_manifest(folder) if folder.is_dir() else None
    contents = None if manifest is None else manifest.contents
    size = {} if contents is None else {"datasetSize": contents.num_records}
    return {"dataset": folder.name, **size}


def _listed(output: Path) -> list[tuple[str, Path]]:
    """The files of an export that the catalogue lists, by what their names end in."""
    return [(suffix, output.with_suffix(suffix)) for suffix in _RESOURCES]


def _resource(file: Path, url: str) -> dict[str, Any]:
    return {
        "platform": _RESOURCES[file.suffix],
        "type": file.suffix.removeprefix("."),
        "size": file.stat().st_size,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "urls": [f"{url.rstrip('/')}/{file.name}"],
    }


def _before_and_after(asked: Asked, network: "Generator", given: Path) -> tuple[Path, Path]:
    """The picture enlarged by its pixels alone, as one sees it, and by the network."""
    import cv2
    import numpy as np

    from esrgan.data import read_image, write_png
    from esrgan.inference import Upscaler
    from esrgan.weights import scale_of

    lq = read_image(given)
    scale = scale_of(network)
    sides = (lq.shape[1] * scale, lq.shape[0] * scale)
    before, after = (asked.picture(given, part) for part in ("before", "after"))
    larger = np.asarray(cv2.resize(lq, sides, interpolation=cv2.INTER_NEAREST), np.uint8)
    write_png(before, larger, overwrite=asked.overwrite)
    sr = np.asarray(Upscaler(network)(lq), np.uint8)
    write_png(after, sr, overwrite=asked.overwrite)
    return before, after


def _model_id(card: Mapping[str, Any]) -> str:
    """What the catalogue calls the card's file."""
    bare = re.sub(r"^\d+x[-_ ]*", "", str(card["name"]).strip())
    words = [word for word in re.split(r"[^a-zA-Z0-9]+", bare) if word]
    name = "-".join([f"{card['scale']}x", *words])
    return f"{name}.json there"
