"""Sources: where questions come from. `open_source` is all that the builder needs."""

from cotbuild.builder.sources.source import Source, SourceInfo, list_sources, open_source

__all__ = ["Source", "SourceInfo", "list_sources", "open_source"]
