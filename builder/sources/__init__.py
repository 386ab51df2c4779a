"""Sources: where questions come from. `open_source` is all that the builder needs."""

from cotbuild.builder.sources.describe import SourceInfo, list_sources, source_shown
from cotbuild.builder.sources.open import open_source, remember_source
from cotbuild.builder.sources.source import Source, overlapping
from cotbuild.builder.sources.splits import canonical_split

__all__ = [
    "Source",
    "SourceInfo",
    "canonical_split",
    "list_sources",
    "open_source",
    "overlapping",
    "remember_source",
    "source_shown",
]
