"""Read questions from a known dataset, a file or the Hub, through `open_source`."""

from cotbuild.builder.sources.describe import (
    SourceInfo,
    describe_source,
    list_sources,
)
from cotbuild.builder.sources.open import open_source
from cotbuild.builder.sources.provenance import remember_source
from cotbuild.builder.sources.source import Source
from cotbuild.builder.sources.split_overlaps import find_overlaps
from cotbuild.builder.sources.splits import canonical_split

__all__ = [
    "Source",
    "SourceInfo",
    "canonical_split",
    "describe_source",
    "find_overlaps",
    "list_sources",
    "open_source",
    "remember_source",
]
