"""Text of `cotbuild sources`: the list of sources, or one of them with a real row.

Lines have at most 80 columns.
"""

from collections.abc import Iterator
from typing import NamedTuple

from cotbuild.builder.sources.base import BadRow
from cotbuild.builder.sources.datasets import KNOWN_DATASETS
from cotbuild.builder.sources.files import FileRows, ParallelRows
from cotbuild.builder.sources.hub import HubFacts, fetch_hub_facts
from cotbuild.builder.sources.open import BUNDLED_SPLITS, open_source
from cotbuild.builder.sources.provenance import BUNDLED_LICENCE, stated_licence
from cotbuild.builder.sources.source import Source
from cotbuild.builder.sources.splits import STANDARD_SPLITS
from cotbuild.builder.wrap import wrap_paragraph
from cotbuild.schemas.config import BUNDLED, SourceConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import Input, Question

WIDTH = 80
MAX_VALUE_CHARS = 300
"""Longer values of a row are truncated to this."""


class SourceInfo(NamedTuple):
    """One entry of `cotbuild sources`."""

    name: str
    """What to pass as --source."""
    kinds: str
    splits: tuple[str, ...]
    """Empty for files, whose names determine the split."""
    licence: str
    hub_id: str | None
    """None if nothing is downloaded."""
    revision: str | None
    """The commit that is read from the Hub."""
    published_at: str = ""
    """Where the files are, which are read in place of a dataset on the Hub."""

    def format_lines(self) -> Iterator[str]:
        """Yield the lines of the entry."""
        indent = " " * 16
        splits = ", ".join(self.splits) or "split from the name"
        yield f"{self.name:<16} {self.kinds}; {splits}"
        if self.hub_id is not None:
            yield f"{indent} {self.hub_id} @ {(self.revision or '')[:12]}"
        elif self.published_at:
            yield f"{indent} {self.published_at}"
        yield f"{indent} licence: {self.licence}"
        needs_files = self.hub_id is None and bool(self.published_at)
        name = "FOLDER" if needs_files else self.name.partition(" ")[0]
        yield f"{indent} --source {name}"


def list_sources() -> list[SourceInfo]:
    """Return the bundled set, the known datasets, and how to pass other sources."""
    bundled = SourceInfo(
        "bundled",
        "choice, yes_no, number, text",
        BUNDLED_SPLITS,
        BUNDLED_LICENCE,
        None,
        None,
    )
    known = [
        SourceInfo(
            dataset.name,
            "several kinds" if dataset.kind is None else dataset.kind.value,
            dataset.splits,
            dataset.licence,
            dataset.hub_id,
            dataset.revision,
            dataset.published_at,
        )
        for dataset in KNOWN_DATASETS.values()
    ]
    others = [
        SourceInfo(name, "kind from the columns", (), "its owner's", None, None)
        for name in ("FILE or FOLDER", "OWNER/NAME")
    ]
    return [bundled, *known, *others]


def describe_source(config: SourceConfig) -> Iterator[str]:
    """Yield lines on a source: kind, splits, licence, sizes, a row and its question.

    A dataset on the Hub is described without sizes and row if the Hub cannot be
    reached. Raises what `open_source` and `Source.read` raise; an error in parsing the
    row is raised after the row is shown.
    """
    source = open_source(config)
    infos = {info.name: info for info in list_sources()}
    info = infos.get(config.name)
    if info is not None:
        yield from info.format_lines()
    if source.revision is None:
        yield from _describe_files(source)
    else:
        facts = fetch_hub_facts(source.dataset, source.config_name, source.revision)
        if facts is None:
            yield "size, row        not shown: the Hub cannot be reached"
            return
        if info is None:
            yield from _describe_hub_dataset(source, facts)
        yield from _describe_hub_sizes(facts)
    yield from _describe_row(source)


def _describe_files(source: Source) -> Iterator[str]:
    for split in dict.fromkeys((*STANDARD_SPLITS, source.split)):
        try:
            rows = source.open_split(split)
        except ConfigError:
            continue  # the source has no such split
        if isinstance(rows, FileRows | ParallelRows):
            num_rows = sum(1 for _ in rows)
            size = f"{num_rows:,} rows in {rows.location}, {rows.num_bytes:,} bytes"
            yield from _wrap(f"{split:<16} {size}; {rows.shape}")
    if source.config.name not in BUNDLED:
        licence = stated_licence(source) or "its owner's; the file states none"
        yield from _wrap(f"{'licence':<16} {licence}")


def _describe_hub_dataset(source: Source, facts: HubFacts) -> Iterator[str]:
    config_name = f" {source.config_name}" if source.config_name else ""
    yield from _wrap(f"{source.dataset}{config_name} @ {source.revision}")
    yield from _wrap(f"licence: {facts.licence or 'its card states none'}")


def _describe_hub_sizes(facts: HubFacts) -> Iterator[str]:
    for split, (num_rows, num_bytes) in facts.sizes.items():
        yield from _wrap(f"{split:<16} {num_rows:,} rows, {num_bytes:,} bytes")
    if not facts.sizes:
        yield "size             not shown: its card does not state it"


def _describe_row(source: Source) -> Iterator[str]:
    """Yield the first readable row of the split, then its first question."""
    rows = enumerate(source.open_split(source.split))
    readable = ((i, row) for i, row in rows if not isinstance(row, BadRow))
    first = next(readable, None)
    if first is not None:
        position, row = first
        yield f"row {position} of {source.split}, as published:"
        for name, value in row.items():
            yield from _wrap(f"  {name}: {_truncate(repr(value))}")
    question = next(source.read_all(source.split))
    line = source.read_as(source.split)
    if line is not None:
        yield from _wrap(f"{'read as':<16} {line}")
        for note in source.read_notes(source.split):
            yield from _wrap(f"{'note':<16} {note}")
    yield f"the question of row {question.source.row}:"
    for name, value in _question_fields(question).items():
        yield from _wrap(f"  {name}: {value}")


def _truncate(text: str) -> str:
    if len(text) <= MAX_VALUE_CHARS:
        return text
    return f"{text[:MAX_VALUE_CHARS]} …"


def _question_fields(question: Question) -> dict[str, str]:
    fields = {
        "id": question.id,
        "kind": question.kind.value,
        "text": question.text,
    }
    for one in question.inputs:
        fields[one.name] = _describe_input(one)
    if question.choices:
        choices = [f"({choice.label}) {choice.text}" for choice in question.choices]
        fields["choices"] = "  ".join(choices)
    is_published = question.target is not None
    fields["target"] = " | ".join(question.targets) if is_published else "not published"
    if question.tags:
        fields["tags"] = ", ".join(f"{tag.name}={tag.value}" for tag in question.tags)
    return fields


def _describe_input(one: Input) -> str:
    """Return an input's text, or its picture's size, type and digest."""
    if one.image is None:
        return one.text or ""
    kind = one.image.media_type.removeprefix("image/")
    return f"{one.image.width}×{one.image.height} {kind} {one.image.sha256[:12]}"


def _wrap(text: str) -> list[str]:
    return wrap_paragraph(text, WIDTH, later_indent="    ")
