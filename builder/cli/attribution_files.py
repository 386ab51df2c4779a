"""The files that `cotbuild attribute` reads and replaces, checked before hours of work."""

import csv
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from cotbuild.schemas.attribution import ScoresInfo
from cotbuild.schemas.errors import ConfigError

if TYPE_CHECKING:
    from cotbuild.builder.variants.example import RationaleExample
    from cotbuild.student.attribution.settings import AttributionSettings

AGREEMENT = "agreement.csv"
MAX_LINE_CHARS = 10_000
"""Longest line of a table of agreement that is read."""


def check_out(path: Path, settings: "AttributionSettings", num_new: int) -> None:
    """Raise ConfigError rather than replace the scores of another attribution.

    `num_new` rationales are to be scored by `settings`. The same attribution may replace
    its file, also by one of more rationales.
    """
    if not path.exists():
        return
    from cotbuild.builder.variants.scores import ScoresFile

    with closing(ScoresFile(path)) as file:
        stored, num_stored = file.info, file.num_rows
    difference = _find_difference(stored, settings)
    if difference is None and num_stored > num_new:
        difference = f"scores of {num_stored} rationales, and these are {num_new}"
    if difference is not None:
        raise ConfigError(
            f"{path}: has {difference}. Pass another file as --out, or delete this one."
        )


def _find_difference(stored: ScoresInfo, settings: "AttributionSettings") -> str | None:
    """Return in what the scores of a file differ from those to be computed."""
    method = settings.method.value
    if stored.method.replace("_", "-") != method:
        return f"scores by {stored.method}, not {method}"
    if stored.student != settings.student:
        return f"scores by student {stored.student}, not {settings.student}"
    steps = bounds = None
    if settings.integration is not None:
        steps, bounds = settings.integration.steps, settings.integration.bounds
    if (stored.steps, stored.bounds) != (steps, bounds):
        return "scores with other steps or bounds"
    return None


def agreement_table(path: Path) -> Path:
    """Return the table that compares a scores file with another, line by line."""
    return path.with_name(f"{path.stem}.{AGREEMENT}")


def check_agreement(
    other: Path, path: Path, examples: Iterable["RationaleExample"]
) -> None:
    """Raise ConfigError or DataError unless the scores in `other` can be compared.

    `path` is the file that the scores of the examples will be written to. Those in
    `other` cannot be compared if they are of other texts or rationales, or if the table
    of an agreement with another file would be replaced.
    """
    from cotbuild.builder.variants.scores import ScoresFile

    if other.resolve() == path.resolve():
        raise ConfigError(
            f"--agreement {other}: is the file that the scores are written to. Pass "
            "one with scores by another method, or another --out."
        )
    with closing(ScoresFile(other)) as file:
        # Every row is looked up: one that was scored on another text is refused.
        scored = [file.spans(example) is not None for example in examples]
    if not any(scored):
        raise ConfigError(
            f"--agreement {other}: has scores of none of the {len(scored)} rationales. "
            "Attribute the same ones."
        )
    _check_table(agreement_table(path), other)


def _check_table(table: Path, other: Path) -> None:
    if not table.exists():
        return
    with table.open(encoding="utf-8", errors="replace", newline="") as file:
        lines = [file.readline(MAX_LINE_CHARS) for _ in range(2)]
    header, *first = csv.reader(line for line in lines if line)
    if not first:
        return
    compared_with = dict(zip(header, first[0], strict=False)).get("compared_with")
    if compared_with != str(other):
        raise ConfigError(
            f"{table}: compares with {compared_with!r}, not {str(other)!r}. Pass another "
            "--out, or delete the table."
        )
