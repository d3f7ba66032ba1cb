"""The report as one text, with its pictures in it."""

from collections.abc import Collection

from reporting.figure import Layout
from reporting.metrics import metric_label
from reporting.subject import Subject


def as_document(table: str, subject: Subject, layout: Layout, pictures: Collection[str]) -> str:
    """Markdown; `pictures` are the names of the files beside it."""
    sections = ["# Runs", table]
    if "figure.png" in pictures:
        sections += ["![What the runs make of images](figure.png)", _caption(subject, layout)]
    elif subject.weights:
        sections.append("No figure: its images are not there (--benchmark names others).")
    else:
        sections.append("No figure: none of the runs has weights yet.")
    if "curves.png" in pictures:
        sections.append("![Validation and training over the iterations](curves.png)")
    return "\n\n".join(sections) + "\n"


def _caption(subject: Subject, layout: Layout) -> str:
    labels = " and ".join(metric_label(name) for name in layout.metrics)
    images = dict.fromkeys(
        f"{selection.benchmark.name}, low resolution: {selection.benchmark.lq_origin}"
        for selection in subject.selections
    )
    lines = [
        f"Crops of {layout.crop_size} × {layout.crop_size} pixels, where they differ most. "
        f"Below them: {labels} of the whole image, {subject.scale} pixels left out on each side. "
        "Red: settings that the run to the left had otherwise.\n",
        *(f"- Images: {origin}" for origin in images),
        *(f"- {name}: weights of {path.name}" for name, path in subject.weights.items()),
    ]
    left_out = [run.name for run in subject.runs if run.name not in subject.weights]
    if left_out:
        lines.append(f"- Not shown, as they have no weights yet: {', '.join(left_out)}")
    return "\n".join(lines)
