"""A page about a model: what it is, its files, and pictures before and after."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def card_page(
    card: Mapping[str, Any], metadata: Mapping[str, str], pairs: Sequence[tuple[Path, Path]]
) -> str:
    """In Markdown.

    Args:
        card: as the catalogue has it.
        metadata: what the file of weights says of itself.
        pairs: pictures before and after, that lie beside the page.
    """
    authors = card["author"] if isinstance(card["author"], list) else [card["author"]]
    facts = {
        "by": ", ".join(authors),
        "licence": card["license"] or "none",
        "architecture": " ".join([card["architecture"], *(card["size"] or [])]),
        "scale": f"×{card['scale']}",
        "iterations": card.get("trainingIterations"),
        "batch size": card.get("trainingBatchSize"),
        "patches": card.get("trainingHRSize"),
        "data set": card.get("dataset"),
        "images": card.get("datasetSize"),
        "metrics": _metrics(metadata),
        "date": card["date"],
    }
    rows = [f"| {name} | {value} |" for name, value in facts.items() if value is not None]
    files = [
        f"| [{url.rpartition('/')[2]}]({url}) | {resource['size']:,} | `{resource['sha256']}` |"
        for resource in card["resources"]
        for url in resource["urls"]
    ]
    shown = [f"| ![]({before.name}) | ![]({after.name}) |" for before, after in pairs]
    parts = [
        f"# {card['name']}",
        card["description"],
        "\n".join(["| | |", "|---|---|", *rows]),
        "\n".join(["| file | bytes | SHA-256 |", "|---|---|---|", *files]),
    ]
    if shown:
        parts.append("\n".join(["| before | after |", "|---|---|", *shown]))
    return "\n\n".join(parts) + "\n"


def _metrics(metadata: Mapping[str, str]) -> str | None:
    metrics: Mapping[str, float] = json.loads(metadata.get("metrics", "{}"))
    told = [f"{k} {v:.4g}" for k, v in metrics.items() if k != "iteration"]
    return ", ".join(told) or None
