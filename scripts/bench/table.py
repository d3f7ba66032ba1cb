from collections.abc import Mapping, Sequence
from typing import NamedTuple

Cell = str | float | None


class Table(NamedTuple):
    """Rows of equal columns, and what has to be known to read them."""

    title: str
    notes: str
    rows: Sequence[Mapping[str, Cell]]

    def as_markdown(self) -> str:
        columns = list(self.rows[0])
        lines = [columns, ["---"] * len(columns)]
        lines += [[_text(row[column]) for column in columns] for row in self.rows]
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"## {self.title}\n\n{self.notes}\n\n{table}"


def _text(cell: Cell) -> str:
    if cell is None:
        return "?"
    if isinstance(cell, str):
        return cell
    return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
