"""Rationales that the rows of the questions hold themselves, as rows of an import."""

from collections.abc import Iterator
from typing import Any

from cotbuild.builder.sources import Source
from cotbuild.builder.sources.base import BadRow, Row
from cotbuild.builder.sources.provenance import stated_licence
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.import_recipe import FROM_SOURCE, ImportRecipe

TEXT = "rationale"
"""Column of the rows that `SourceRationales` gives."""


class SourceRationales:
    """The rationales of the split that a build is made of, a row for each of its rows."""

    def __init__(self, source: Source) -> None:
        self.location = source.open_split(source.split).location
        self._source = source

    def __iter__(self) -> Iterator[Row | BadRow]:
        for found in self._source.read_rationales(self._source.split):
            yield found if isinstance(found, BadRow) else {TEXT: list(found)}

    def checksum(self) -> str:
        """Return the sha256 of the split's file, or repo@revision for the Hub."""
        return self._source.checksum(self._source.split)


def source_recipe(source: Source, given: dict[str, Any]) -> ImportRecipe:
    """Return the recipe that imports the rationales of a source.

    `given` holds what is known of them: made_by, licence and url. A known dataset
    states its own authors and licence. The texts are taken to explain the target, which
    their authors knew. Raises ConfigError, and what reading the first rows raises.
    """
    known = source.identify_dataset(source.split)
    about = {
        "made_by": "unknown" if known is None else known.rationales_by,
        "licence": stated_licence(source) or "unknown",
    }
    value = {
        "name": FROM_SOURCE,
        "version": 1,
        "about": "The rationales in the rows of the questions.",
        "join": "order",
        "columns": {"text": TEXT},
        "answer": "target",
        "target_shown": True,
        **about,
        **given,
    }
    return ImportRecipe.parse(value, "import", ConfigError)
