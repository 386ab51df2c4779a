"""Words such as "nan" in a table: nothing, or a text. Pure.

"None" may be an answer, "nan" the text that a data frame writes for an empty cell. The
other cells of the column decide: among numbers, truth values and lists, a null word is
an empty cell; among texts it is a text.
"""

from collections import Counter
from dataclasses import dataclass, field

from cotbuild.builder.sources.python_text import PythonTextFault, parse_list_text

NULL_WORDS = frozenset(
    ("nan", "NaN", "NAN", "NaT", "<NA>", "NA", "N/A", "n/a", "#N/A", "None", "none")
).union(("null", "NULL", "Null"))
_TRUTH_VALUES = frozenset(("True", "False", "true", "false", "TRUE", "FALSE"))
_OPENINGS = ("[", "{", "(", "array(")


@dataclass
class NullWords:
    """What the cells of the columns with null words are, counted row by row."""

    counts: dict[int, Counter[str]]
    """Column to the null words in it."""
    text_columns: set[int] = field(default_factory=set)
    """Columns that also hold texts."""

    def add(self, fields: list[str]) -> None:
        """Count the cells of one row."""
        for column, words in self.counts.items():
            cell = fields[column]
            if cell in NULL_WORDS:
                words[cell] += 1
            elif column not in self.text_columns and not _is_value(cell):
                self.text_columns.add(column)

    @property
    def empty_in(self) -> frozenset[int]:
        """The columns in which null words stand for empty cells."""
        return frozenset(set(self.counts) - self.text_columns)


def find_null_columns(fields: list[str]) -> set[int]:
    """Return the columns of a row that hold a null word."""
    if NULL_WORDS.isdisjoint(fields):
        return set()
    return {column for column, cell in enumerate(fields) if cell in NULL_WORDS}


def _is_value(cell: str) -> bool:
    """Return whether a cell is empty, a number, a truth value or a list or object."""
    text = cell.strip()
    if not text or text in _TRUTH_VALUES:
        return True
    if text.startswith(_OPENINGS):
        return _is_list_text(text)
    return _is_number(text)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True


def _is_list_text(text: str) -> bool:
    try:
        parse_list_text(text)
    except PythonTextFault:
        return False
    return True


def describe_null_words(words: NullWords, names: list[str]) -> dict[str, str]:
    """Return a line by name for each column with null words: what they are read as."""
    lines = {}
    for column, counts in sorted(words.counts.items()):
        is_text = column in words.text_columns
        read_as = "texts" if is_text else "empty cells, as no other cell is a text"
        counted = ", ".join(
            f"{word!r} in {count:,} {'row' if count == 1 else 'rows'}"
            for word, count in sorted(counts.items())
        )
        name = names[column]
        lines[name] = f"null words in column {name!r} are read as {read_as}: {counted}"
    return lines
