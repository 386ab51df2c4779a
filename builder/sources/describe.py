"""What `cotbuild sources` shows: every source there is, or one of them with a real row.

Lines of at most 80 columns.
"""

import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from cotbuild.builder.sources.base import BadRow
from cotbuild.builder.sources.files import FileRows
from cotbuild.builder.sources.hub import HubFacts, hub_facts
from cotbuild.builder.sources.licence import BUNDLED_LICENCE, stated_licence
from cotbuild.builder.sources.open import BUNDLED_SPLITS, open_source
from cotbuild.builder.sources.registry import KNOWN
from cotbuild.builder.sources.source import Source
from cotbuild.builder.sources.splits import STANDARD_SPLITS
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import Question

WIDTH = 80
MAX_VALUE_CHARS = 300
"""A raw field's value is cut to this in what is shown."""


class SourceInfo(NamedTuple):
    """One entry of `cotbuild sources`."""

    name: str
    """What to type after --source."""
    kinds: str
    splits: tuple[str, ...]
    """Empty for files: their names tell."""
    licence: str
    hub_id: str | None
    """Hub id; None where nothing is fetched."""
    revision: str | None
    """The commit read from the Hub."""

    def lines(self) -> Iterator[str]:
        """The entry as a terminal shows it."""
        yield f"{self.name:<16} {self.kinds}; {', '.join(self.splits) or 'split told by the name'}"
        if self.hub_id is not None:
            yield f"{'':<16} {self.hub_id} @ {(self.revision or '')[:12]}"
        yield f"{'':<16} licence: {self.licence}"
        yield f"{'':<16} --source {self.name.partition(' ')[0]}"


def list_sources() -> list[SourceInfo]:
    """All sources that have a name, and how to name a file or a dataset on the Hub."""
    bundled = SourceInfo(
        "bundled",
        "choice, yes_no, number, text",
        BUNDLED_SPLITS,
        BUNDLED_LICENCE,
        None,
        None,
    )
    known = [
        SourceInfo(k.name, k.kind.value, k.splits, k.licence, k.hub_id, k.revision)
        for k in KNOWN.values()
    ]
    told = "kind told by the columns"
    other = [
        SourceInfo(name, told, (), "its owner's", None, None)
        for name in ("FILE or FOLDER", "OWNER/NAME")
    ]
    return [bundled, *known, *other]


def source_shown(config: SourceConfig) -> Iterator[str]:
    """One source: kind, splits, licence, size, its first row as it comes and the
    Question this becomes.

    A known dataset is shown without size and row where the Hub cannot be reached.
    Raises what `open_source` and `Source.read` raise, after the row where the row is
    the fault.
    """
    source = open_source(config)
    info = next((info for info in list_sources() if info.name == config.name), None)
    if info is not None:
        yield from info.lines()
    if source.revision is None:
        yield from _file_lines(source)
    else:
        facts = hub_facts(source.dataset, source.config_name, source.revision)
        if facts is None:
            yield "size, row        not shown: the Hub cannot be reached"
            return
        yield from _hub_lines(source, facts, with_coordinates=info is None)
    yield from _row_lines(source)


def _file_lines(source: Source) -> Iterator[str]:
    for split in dict.fromkeys((*STANDARD_SPLITS, source.split)):
        try:
            rows = source.open_split(split)
        except ConfigError:
            continue  # it has no such split
        if isinstance(rows, FileRows):
            size = f"{sum(1 for _ in rows):,} rows in {rows.path.name}, {rows.path.stat().st_size:,} bytes"
            yield from _wrapped(f"{split:<16} {size}")
    if source.config.name != "bundled":
        licence = stated_licence(source) or "its owner's; the file says none"
        yield from _wrapped(f"{'licence':<16} {licence}")


def _hub_lines(
    source: Source, facts: HubFacts, *, with_coordinates: bool
) -> Iterator[str]:
    if with_coordinates:
        config_name = f" {source.config_name}" if source.config_name else ""
        yield from _wrapped(f"{source.dataset}{config_name} @ {source.revision}")
        yield from _wrapped(f"licence: {facts.licence or 'its card says none'}")
    for split, (num_rows, num_bytes) in facts.sizes.items():
        yield from _wrapped(f"{split:<16} {num_rows:,} rows, {num_bytes:,} bytes")
    if not facts.sizes:
        yield "size             not shown: its card does not say"


def _row_lines(source: Source) -> Iterator[str]:
    rows = source.open_split(source.split)
    found = next(
        ((i, row) for i, row in enumerate(rows) if not isinstance(row, BadRow)), None
    )
    if found is not None:
        yield f"row {found[0]} of {source.split}, as it comes:"
        for name, value in found[1].items():
            shown = repr(value)
            more = "" if len(shown) <= MAX_VALUE_CHARS else " …"
            yield from _wrapped(f"  {name}: {shown[:MAX_VALUE_CHARS]}{more}")
    question = next(source.whole(source.split))
    yield f"the question that row {question.source.row} becomes:"
    for name, value in _fields(question).items():
        yield from _wrapped(f"  {name}: {value}")


def _fields(question: Question) -> dict[str, str]:
    choices = "  ".join(
        f"({choice.label}) {choice.text}" for choice in question.choices
    )
    return {
        "id": question.id,
        "kind": question.kind.value,
        "text": question.text,
        **({"choices": choices} if choices else {}),
        "target": "not published"
        if question.target is None
        else " | ".join(question.targets),
    }


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        subsequent_indent="    ",
        drop_whitespace=True,
        replace_whitespace=True,
    )
