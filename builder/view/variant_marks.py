"""What the rows of a build's variants did to the words of the rationale."""

from collections.abc import Iterator
from dataclasses import dataclass

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.variants.compile import CompiledVariant
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.provenance import trace_rationale
from cotbuild.builder.view.marks import (
    Mark,
    MarkedText,
    Segment,
    is_too_long,
    join_segments,
    mark_differences,
    mark_fragments,
    plain_text,
    too_long_note,
)
from cotbuild.prompts.student import Span, find_layout, label_spans
from cotbuild.prompts.student_rows import read_rationale
from cotbuild.schemas.errors import CotbuildError
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant import Placement, VariantSpec
from cotbuild.schemas.variant_rows import VariantRow

NOT_DERIVED = (
    "The row could not be derived again from the rationale, so its words are aligned."
)


@dataclass(frozen=True)
class MarkedRow:
    """The texts of a variant's row with marks."""

    completion: MarkedText
    """The completion: its label, and what was done to the rationale in it.

    Without what was added it is the rationale only if the row has one in its completion.
    """
    given: MarkedText | None = None
    """The rationale that the prompt holds; None if it holds none."""


class VariantMarker:
    """Marks rows of the variants of one build. Not thread-safe: it compiles variants once
    and keeps them.
    """

    def __init__(self, build: StoredBuild) -> None:
        variants = build.manifest.variants
        self._seed = variants.made.seed if variants is not None else 0
        self._compiled: dict[str, CompiledVariant | str] = {}

    def mark(
        self, spec: VariantSpec, rationale: Rationale, row: VariantRow
    ) -> MarkedRow:
        """Mark what the row of a variant has, says and leaves out of a rationale."""
        layout = find_layout(row, spec)
        if not _has_rationale(spec, row):
            return MarkedRow(_compose(row, layout, None))
        marked = self._mark_rationale(spec, rationale, row)
        if _is_given(spec, row):
            return MarkedRow(_compose(row, layout, None), marked)
        return MarkedRow(_compose(row, layout, marked))

    def _mark_rationale(
        self, spec: VariantSpec, rationale: Rationale, row: VariantRow
    ) -> MarkedText:
        """Return what the variant did to the rationale."""
        question = rationale.question_record()
        before = rationale.rationale
        example = RationaleExample(
            question, rationale.sample_index, before, rationale.answer
        )
        fault = NOT_DERIVED
        derived = ""
        for part in _parts(spec, row):
            derived = read_rationale(part, question, row)
            if is_too_long(before) or is_too_long(derived):
                return plain_text(derived, too_long_note())
            compiled = self._compile(part)
            if isinstance(compiled, str):
                fault = compiled
                continue
            try:
                fragments = trace_rationale(compiled, example, self._seed, derived)
            except CotbuildError as error:
                fault = f"{NOT_DERIVED} ({error})"
                continue
            if fragments is not None:
                return mark_fragments(before, fragments)
        return mark_differences(before, derived, fault)

    def _compile(self, part: VariantSpec) -> CompiledVariant | str:
        """Return the functions of a variant, or why there are none."""
        key = part.fingerprint
        if key not in self._compiled:
            try:
                self._compiled[key] = CompiledVariant.compile(part)
            except CotbuildError as error:
                self._compiled[key] = f"{NOT_DERIVED} ({error})"
        return self._compiled[key]


def find_rationale(spec: VariantSpec, question: Question, row: VariantRow) -> str:
    """Return the rationale that a row has in its completion or prompt; empty for none."""
    texts = (read_rationale(part, question, row) for part in _parts(spec, row))
    return next(texts, "")


def _parts(spec: VariantSpec, row: VariantRow) -> Iterator[VariantSpec]:
    """Yield the variants that a row may be of: the parts of a mix that have its form."""
    if not spec.mix:
        yield spec
        return
    given = row.rationale_start is None
    for part in spec.parts:
        if (part.placement is Placement.GIVEN_RATIONALE) == given or not given:
            yield part


def _has_rationale(spec: VariantSpec, row: VariantRow) -> bool:
    """Whether a row holds the rationale, or would if a transform had left any of it."""
    if row.rationale_start is not None:
        return True
    if row.task is not None:
        return False
    placements = {part.placement for part in spec.parts}
    return bool(placements - {Placement.LABEL_ONLY, Placement.TWO_TASKS})


def _is_given(spec: VariantSpec, row: VariantRow) -> bool:
    return row.rationale_start is None and spec.gives_rationale


def _compose(
    row: VariantRow, layout: Layout, rationale: MarkedText | None
) -> MarkedText:
    """Return a completion with its labels and the marked rationale in its place."""
    text = row.completion_text
    parts: list[tuple[Span, list[Segment]]] = [
        ((start, end), [Segment(text[start:end], Mark.LABEL)])
        for start, end in label_spans(row, layout)
    ]
    if rationale is not None:
        span = _rationale_span(row, layout, rationale)
        parts.append((span, list(rationale.segments)))
    segments: list[Segment] = []
    at = 0
    for (start, end), part in sorted(parts, key=lambda one: one[0]):
        segments.append(Segment(text[at:start], Mark.LAYOUT))
        segments += part
        at = end
    segments.append(Segment(text[at:], Mark.LAYOUT))
    how = "derived" if rationale is None else rationale.how
    note = None if rationale is None else rationale.note
    return MarkedText(tuple(join_segments(segments)), how, note)


def _rationale_span(row: VariantRow, layout: Layout, rationale: MarkedText) -> Span:
    """Return where the marked rationale is in the completion.

    One of which nothing is left is where it would be: after the label, or before it.
    """
    text = row.completion_text
    if row.rationale_start is not None and row.rationale_end is not None:
        written = text[row.rationale_start : row.rationale_end]
        start = row.rationale_start + written.find(rationale.after)
        return start, start + len(rationale.after)
    at = len(text) if layout.label_first else 0
    return at, at
