"""One question of a build: its samples, and what every variant made of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cotbuild.builder.build.build import QUESTIONS, RATIONALES, StoredBuild
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.faults import NotFoundError
from cotbuild.builder.view.marks import MarkedText
from cotbuild.builder.view.question_rows import (
    MAX_ROWS_EACH,
    FoundRow,
    move_position,
    read_question_rows,
)
from cotbuild.builder.view.tables import RowTable, open_table
from cotbuild.builder.view.variant_marks import VariantMarker, find_rationale
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.variant import VariantSpec
from cotbuild.schemas.variant_rows import ChatTurn, VariantRow, row_model


@dataclass(frozen=True)
class SampleView:
    """A rationale of the question."""

    position: int
    """Its position among the rationales of the split, from 0."""
    row: Rationale
    same_as: int | None
    """Sample index of an earlier rationale with the same text; None if there is none."""


@dataclass(frozen=True)
class VariantRowView:
    """A row that a variant made of a sample of the question."""

    sample_index: int
    task: str | None
    prompt: str | tuple[ChatTurn, ...]
    completion: MarkedText
    given: MarkedText | None
    """The rationale that the prompt holds; None if it holds none."""
    same_as: str | None
    """An earlier variant with the same rationale and completion; None if there is none."""

    @property
    def differs(self) -> bool:
        """Whether the rationale is another than the teacher's."""
        given = self.given is not None and self.given.differs
        return given or self.completion.differs


@dataclass(frozen=True)
class VariantView:
    """The rows of a variant that are of the question."""

    name: str
    about: str
    rows: tuple[VariantRowView, ...]


@dataclass(frozen=True)
class QuestionView:
    """A question with everything that a build holds of it."""

    build: str
    """Fingerprint of the build."""
    split: str
    question: Question
    samples: tuple[SampleView, ...]
    """Its rationales; empty for a question of an evaluation split."""
    variants: tuple[VariantView, ...]
    """The variants that were asked for, in their order."""
    all_variants: tuple[str, ...]
    """The names of all variants of the build."""
    is_cut: bool
    """Whether there are more rationales than MAX_ROWS_EACH."""

    @property
    def position(self) -> int | None:
        """Position of its first rationale; None if it has none."""
        return self.samples[0].position if self.samples else None


def read_question(
    database: Database,
    build: StoredBuild,
    question_id: str,
    *,
    near: int | None = None,
    variants: Sequence[str] | None = None,
) -> QuestionView:
    """Read a question of a build, its rationales and the rows of variants.

    `near` is about where its rationales are, as a position; then only rows there are
    read. `variants` are names, by default those of all variants. Raises NotFoundError
    if the build has no such question, ConfigError for a variant it has not, DataError.
    """
    names = tuple(spec.name for spec in build.specs)
    specs = [build.spec(name) for name in (names if variants is None else variants)]
    table = open_table(build)
    found = read_question_rows(database, table, [question_id], near)
    if not found:
        split, question = _find_evaluation_question(database, build, question_id)
        return QuestionView(
            build.manifest.fingerprint, split, question, (), (), names, is_cut=False
        )
    samples = tuple(_sample_views(build, found[:MAX_ROWS_EACH]))
    return QuestionView(
        build=build.manifest.fingerprint,
        split=build.split,
        question=samples[0].row.question_record(),
        samples=samples,
        variants=tuple(_variant_views(database, table, specs, samples)),
        all_variants=names,
        is_cut=len(found) > MAX_ROWS_EACH,
    )


def _sample_views(
    build: StoredBuild, found: Sequence[FoundRow]
) -> Iterator[SampleView]:
    where = f"{build.folder}/{RATIONALES}"
    first_with: dict[str, int] = {}
    for one in found:
        row = Rationale.parse(one.values, f"{where} row {one.position}")
        first = first_with.setdefault(row.rationale, row.sample_index)
        same_as = None if first == row.sample_index else first
        yield SampleView(one.position, row, same_as)


def _find_evaluation_question(
    database: Database, build: StoredBuild, question_id: str
) -> tuple[str, Question]:
    """Return split and question of an evaluation split; raises NotFoundError."""
    for split in build.splits(QUESTIONS):
        table = open_table(build, QUESTIONS, split)
        found = read_question_rows(database, table, [question_id])
        if found:
            where = f"{build.folder}/{QUESTIONS} row {found[0].position}"
            return split, Question.parse(found[0].values, where)
    raise NotFoundError(
        f"{build.folder.name}: no question {short_repr(question_id)}. Take an id from "
        "the rows of the build."
    )


# -- variants ---------------------------------------------------------------------------


def _variant_views(
    database: Database,
    rationales: RowTable,
    specs: Sequence[VariantSpec],
    samples: Sequence[SampleView],
) -> Iterator[VariantView]:
    """Yield the rows of each variant; those of an earlier one with equal texts say so."""
    build = rationales.build
    marker = VariantMarker(build)
    question_id, first_position = samples[0].row.question_id, samples[0].position
    by_index = {sample.row.sample_index: sample.row for sample in samples}
    first_with: dict[tuple[int, str, str], str] = {}
    for spec in specs:
        table = open_table(build, spec.name)
        near = move_position(first_position, rationales, table)
        found = read_question_rows(database, table, [question_id], near)
        rows = []
        for one in found[:MAX_ROWS_EACH]:
            row = parse_variant_row(build, spec, one)
            rationale = by_index.get(row.sample_index)
            if rationale is None:
                continue
            given = find_rationale(spec, rationale.question_record(), row)
            key = (row.sample_index, row.completion_text, given)
            first = first_with.setdefault(key, spec.name)
            rows.append(view_row(marker, spec, rationale, row, first))
        yield VariantView(spec.name, spec.about, tuple(rows))


def parse_variant_row(
    build: StoredBuild, spec: VariantSpec, found: FoundRow
) -> VariantRow:
    """Return a row of a variant; raises DataError."""
    where = f"{build.folder}/{spec.name} row {found.position}"
    return row_model(spec).parse(found.values, where)


def view_row(
    marker: VariantMarker,
    spec: VariantSpec,
    rationale: Rationale,
    row: VariantRow,
    first: str,
) -> VariantRowView:
    """Return a row of a variant with marks; `first` is the first variant that has it."""
    marked = marker.mark(spec, rationale, row)
    return VariantRowView(
        sample_index=row.sample_index,
        task=row.task,
        prompt=row.prompt,
        completion=marked.completion,
        given=marked.given,
        same_as=None if first == spec.name else first,
    )
