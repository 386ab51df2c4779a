"""The whole card: README.md of a local build and of a release. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cotbuild.builder.card.front_matter import (
    ReleaseFacts,
    build_front_matter,
    describe_config,
    dump_yaml,
    rows_by_split,
)
from cotbuild.builder.card.inputs import (
    example_image_lines,
    has_images,
    input_lines,
)
from cotbuild.builder.card.markdown import (
    code_block,
    code_span,
    details_block,
    format_counts,
    inline_text,
    table_lines,
    truncate_text,
)
from cotbuild.builder.card.provenance import (
    licence_lines,
    limitation_lines,
    origin_lines,
    spending_lines,
)
from cotbuild.builder.card.statistics import (
    failure_lines,
    reflection_lines,
    score_lines,
    selection_lines,
    statistics_lines,
    target_lines,
    variant_lines,
    verdict_table,
)
from cotbuild.builder.card.usage import citation_lines, load_lines, usage_lines
from cotbuild.schemas.manifest import Manifest

CARD_VERSION = 1
"""Version of the words of a card, recorded in the manifest.

Increase it when a released version of cotbuild words cards differently: `verify` then
compares only what `datasets` reads of the older cards.
"""
MAX_VALUE = 2_000
"""Longest text shown in an example row, in characters."""
MAX_ITEMS = 30
"""Most entries shown of a list in an example row."""


def render_card(manifest: Manifest, release: ReleaseFacts | None = None) -> str:
    """Return the text of README.md; without `release`, the short one of a local build.

    It holds nothing of the manifest's `run` but what a local build has spent.
    """
    front_matter = dump_yaml(build_front_matter(manifest, release))
    body = "\n".join(_body_lines(manifest, release))
    return f"---\n{front_matter}---\n\n{body}\n"


def _body_lines(manifest: Manifest, release: ReleaseFacts | None) -> list[str]:
    if release is None:
        return _local_lines(manifest)
    return _release_lines(manifest, release)


# -- the card of a local build -----------------------------------------------------------


def _local_lines(manifest: Manifest) -> list[str]:
    lines = [*_title_lines(manifest), *_split_table(manifest), ""]
    lines += [*input_lines(manifest), *example_image_lines(manifest)]
    lines += ["## Verdicts", "", *verdict_table(manifest), "", *score_lines(manifest)]
    lines += [*_count_lines(manifest), "", *target_lines(manifest)]
    if manifest.variants is not None:
        lines += variant_lines(manifest, manifest.variants)
    lines += origin_lines(manifest, with_prompts=False)
    checksums = [
        f"{inline_text(split)} {code_span(checksum)}"
        for split, checksum in manifest.source.checksums.items()
    ]
    return [
        *lines,
        f"- Source: {', '.join(checksums)}",
        *spending_lines(manifest),
        f"- Build fingerprint: {code_span(manifest.fingerprint)}",
        "",
        "## Load",
        "",
        *load_lines("PATH_OR_REPO", None, "rationales", manifest.source.split),
        "",
        "The questions remain under the licence of their source. "
        "This card grants no licence.",
    ]


def _split_table(manifest: Manifest) -> list[str]:
    rows = [
        (code_span(name), inline_text(split), str(count))
        for name in manifest.digests
        for split, count in rows_by_split(manifest, name).items()
    ]
    return table_lines(("config", "split", "rows"), rows)


def _count_lines(manifest: Manifest) -> list[str]:
    source = manifest.source
    return [
        f"- Source questions left out: {format_counts(source.dropped)}",
        "- Questions whose text also occurs in an evaluation split: "
        f"{format_counts(source.overlaps)}",
        *failure_lines(manifest),
        f"- Flags: {format_counts(manifest.flags)}",
        "- Target hidden (elicit) or shown (rationalize): "
        f"{format_counts(manifest.purposes)}",
        *reflection_lines(manifest),
    ]


# -- the card of a release ---------------------------------------------------------------


def _release_lines(manifest: Manifest, release: ReleaseFacts) -> list[str]:
    lines = _title_lines(manifest, release.partial)
    lines += ["## Contents", "", *_config_table(manifest), ""]
    lines += input_lines(manifest)
    lines += _example_lines(manifest, release)
    lines += origin_lines(manifest, with_prompts=True)
    if release.published is not None:
        lines.append(f"- Released: {inline_text(release.published)}")
    lines += [f"- Build fingerprint: {code_span(manifest.fingerprint)}", ""]
    lines += statistics_lines(manifest, release.pictures)
    lines += selection_lines(manifest)
    lines += limitation_lines(manifest)
    lines += licence_lines(manifest, release.licence)
    lines += usage_lines(manifest, release)
    return lines + citation_lines(manifest, release)


def _config_table(manifest: Manifest) -> list[str]:
    """Return a table of the configs with their rows by split."""
    rows_of = {name: rows_by_split(manifest, name) for name in _config_names(manifest)}
    splits = list(dict.fromkeys(split for rows in rows_of.values() for split in rows))
    header = ("config", "description", *(f"{inline_text(s)} rows" for s in splits))
    table = []
    for name, rows in rows_of.items():
        counts = [f"{rows[split]:,}" if split in rows else "" for split in splits]
        description = inline_text(describe_config(manifest, name))
        table.append((code_span(name), description, *counts))
    return table_lines(header, table)


def _config_names(manifest: Manifest) -> list[str]:
    """Return the rationales first, then the variants in the order of their set."""
    variants = manifest.variants.variants if manifest.variants else ()
    variant_names = [variant.name for variant in variants]
    ordered = dict.fromkeys(["rationales", *variant_names, *manifest.digests])
    return [name for name in ordered if name in manifest.digests]


def _example_lines(manifest: Manifest, release: ReleaseFacts) -> list[str]:
    lines = []
    for name in _config_names(manifest):
        if name in release.examples:
            row = _shorten_value(release.examples[name])
            text = json.dumps(row, indent=2, ensure_ascii=False)
            title = f"First row of {name}"
            if name == "rationales" and has_images(manifest):
                lines += example_image_lines(manifest)
                title += " with a picture"
            lines += details_block(title, code_block(text, "json"))
    return lines


def _shorten_value(value: Any) -> Any:
    """Truncate long texts and lists anywhere in a row."""
    if isinstance(value, str):
        return truncate_text(value, MAX_VALUE)
    if isinstance(value, Mapping):
        return dict(_shorten_items(value))
    if isinstance(value, list | tuple):
        shown = [_shorten_value(item) for item in value[:MAX_ITEMS]]
        if len(value) > MAX_ITEMS:
            shown.append(f"… (cut: {len(value):,} entries)")
        return shown
    return value


def _shorten_items(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        yield truncate_text(str(name), MAX_VALUE), _shorten_value(value)


# -- of both -----------------------------------------------------------------------------


def _title_lines(manifest: Manifest, partial: str | None = None) -> list[str]:
    lines = [f"# {inline_text(manifest.title)}", ""]
    if partial is not None:
        lines += [f"> **This release is incomplete**: {inline_text(partial)}", ""]
    return [*lines, _introduction(manifest), ""]


def _introduction(manifest: Manifest) -> str:
    """Return what the dataset is, in three sentences."""
    source = manifest.source
    questions = (
        f"{source.num_questions} questions of {inline_text(source.dataset)} "
        f"(split {inline_text(source.split)})"
    )
    version = f"cotbuild {inline_text(manifest.cotbuild)}"
    if manifest.imported is not None:
        author = inline_text(manifest.imported.made_by)
        subject = (
            f"Rationales by {author} for {questions}, published elsewhere and converted "
            f"with {version}."
        )
    else:
        subject = (
            f"Rationales that a teacher model wrote for {questions}, "
            f"{manifest.samples} per question, generated with {version}."
        )
    if manifest.has_only_prose:
        return (
            f"{subject} They were not checked by hand: answers are prose, which is scored "
            "against references."
        )
    return (
        f"{subject} They were not checked by hand: a verdict says only whether the "
        "answer matches the target."
    )
