"""Sources: where questions come from. `open_source` is all that the builder needs."""

from cotbuild.builder.sources.source import Source, SourceInfo, list_sources, open_source
from cotbuild.builder.sources.splits import canonical_split

__all__ = ["Source", "SourceInfo", "canonical_split", "list_sources", "open_source"]
