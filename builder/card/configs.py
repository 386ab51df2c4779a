"""What the configs of a release are, with a row of each."""

import json
from collections.abc import Mapping
from typing import Any

from cotbuild.builder.card.escape import code, cut, fence, folded, inline, table
from cotbuild.builder.card.front import about, rows_by_split
from cotbuild.builder.card.release import ReleaseFacts
from cotbuild.schemas.manifest import Manifest

MAX_VALUE = 2_000
"""Characters of one text in a row that is shown."""
MAX_ITEMS = 30
"""Entries of one list in it."""


def config_table(manifest: Manifest) -> list[str]:
    """Each config: what it is, and its rows by split."""
    found = {name: rows_by_split(manifest, name) for name in _ordered(manifest)}
    splits = list(dict.fromkeys(split for rows in found.values() for split in rows))
    rows = [
        (
            code(name),
            inline(about(manifest, name)),
            *(f"{found[name][s]:,}" if s in found[name] else "" for s in splits),
        )
        for name in found
    ]
    return table(
        ("config", "what it is", *(f"{inline(split)} rows" for split in splits)), rows
    )


def _ordered(manifest: Manifest) -> list[str]:
    """The configs as a reader meets them: the rationales, the variants in the order of
    their set, the rest.
    """
    variants = (
        [entry.name for entry in manifest.variants.variants]
        if manifest.variants
        else []
    )
    return [
        name
        for name in dict.fromkeys(["rationales", *variants, *manifest.digests])
        if name in manifest.digests
    ]


def example_lines(manifest: Manifest, release: ReleaseFacts) -> list[str]:
    """The first row of each config, as JSON in a block that its text cannot leave."""
    lines = []
    for name in _ordered(manifest):
        if (row := release.examples.get(name)) is not None:
            shown = json.dumps(_shortened(row), indent=2, ensure_ascii=False)
            lines += folded(f"{name}: its first row", fence(shown, "json"))
    return lines


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return cut(value, MAX_VALUE)
    if isinstance(value, Mapping):
        return {
            cut(str(name), MAX_VALUE): _shortened(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        more = [f"… (cut: {len(value):,} entries)"] if len(value) > MAX_ITEMS else []
        return [_shortened(inner) for inner in value[:MAX_ITEMS]] + more
    return value
