"""Tables in Markdown."""

from collections.abc import Sequence


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, words: Sequence[int] = (0,)
) -> str:
    """A table that is aligned as plain text too: numbers to the right, words to the left.

    Args:
        header: a name for each column.
        rows: a cell for each column.
        words: which columns, counted from 0, have words.
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
