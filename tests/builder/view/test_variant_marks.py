"""What each shipped variant did to a rationale, as its marks show it: a golden text.

After a deliberate change: python -m tests.builder.view.test_variant_marks >
tests/golden/variant_marks.txt
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cotbuild.builder.variants.compile import CompiledVariant
from cotbuild.builder.variants.corpus import LoadedCorpus
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.listing import EXAMPLES
from cotbuild.builder.view.marks import Mark, MarkedText
from cotbuild.builder.view.variant_marks import MarkedRow, VariantMarker
from cotbuild.prompts.student import StudentPrompt
from cotbuild.prompts.student_rows import read_rationale, training_rows
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Purpose, Rationale, Verdict, question_fields
from cotbuild.schemas.variant import Placement, VariantSpec
from cotbuild.schemas.variant_rows import VariantRow
from tests.builder.variants.test_golden_rows import SUBJECTS, VERSIONS, files, name_of

GOLDEN = Path(__file__).parents[2] / "golden" / "variant_marks.txt"
SEED = 0
AROUND = {
    Mark.KEPT: ("", ""),
    Mark.REMOVED: ("[-", "-]"),
    Mark.MOVED_FROM: ("", ""),
    Mark.ADDED: ("{+", "+}"),
    Mark.MOVED: ("<", ">"),
    Mark.MASKED: ("(", ")"),
    Mark.LABEL: ("«", "»"),
    Mark.LAYOUT: ("|", "|"),
}


def show(marked: MarkedText) -> str:
    """A marked text on one line, without what moved away."""
    segments = [one for one in marked.segments if one.mark is not Mark.MOVED_FROM]
    text = "".join(one.text.join(AROUND[one.mark]) for one in segments)
    return text.replace("\n", "⏎")


def rationale_row(question: Question, text: str, sample_index: int = 0) -> Rationale:
    """A row of rationales with this text, as a teacher wrote it."""
    return Rationale(
        **question_fields(question),
        sample_index=sample_index,
        rationale=text,
        answer=question.target,
        verdict=Verdict.CORRECT,
        flags=(),
        completion=text,
        reasoning=None,
        finish_reason="stop",
        prompt_tokens=1,
        completion_tokens=1,
        failure=None,
        teacher="somebody",
        purpose=Purpose.ELICIT,
        template="t@1",
        request_key="0" * 64,
        other_steps=(),
        origin=None,
    )


class Seeded(VariantMarker):
    """Marks rows that were derived with SEED, of no build."""

    def __init__(self) -> None:
        self._seed = SEED
        self._compiled = {}


def derive_rows(
    spec: VariantSpec, subject: RationaleExample, corpus: LoadedCorpus
) -> list[VariantRow]:
    """The rows that a variant makes of a rationale; none if it does not apply."""
    made = CompiledVariant.compile(spec).derive(subject, SEED, corpus)
    if made is None:
        return []
    prompt = StudentPrompt(subject.question)
    return training_rows(spec, prompt, subject.sample_index, made.label, made.rationale)


def mark_rows(
    spec: VariantSpec, subject: RationaleExample, corpus: LoadedCorpus
) -> Iterator[tuple[VariantRow, MarkedRow]]:
    """The rows of a variant with their marks."""
    row = rationale_row(subject.question, subject.rationale, subject.sample_index)
    marker = Seeded()
    for one in derive_rows(spec, subject, corpus):
        yield one, marker.mark(spec, row, one)


def golden_lines(folder: Path) -> Iterator[str]:
    """A line for each row of the first example in every variant."""
    with LoadedCorpus(SUBJECTS, files(folder)) as corpus:
        for spec in VERSIONS.values():
            for _, marked in mark_rows(spec, EXAMPLES[0], corpus):
                given = f" given: {show(marked.given)}" if marked.given else ""
                how = (marked.given or marked.completion).how
                yield f"{name_of(spec)} ({how}): {show(marked.completion)}{given}"


def test_what_every_shipped_variant_did(tmp_path: Path) -> None:
    expected = GOLDEN.read_text(encoding="utf-8").splitlines()
    assert sorted(golden_lines(tmp_path)) == sorted(expected)


@pytest.mark.parametrize("ref", VERSIONS)
def test_segments_hold_both_texts(ref: str, tmp_path: Path) -> None:
    spec = VERSIONS[ref]
    with LoadedCorpus(SUBJECTS, files(tmp_path)) as corpus:
        for subject in SUBJECTS:
            for row, marked in mark_rows(spec, subject, corpus):
                assert marked.completion.after == row.completion_text
                has_rationale = (
                    spec.placement is not Placement.LABEL_ONLY and row.task != "predict"
                )
                rationale = marked.given or marked.completion
                before = rationale.before if has_rationale else ""
                assert before == (subject.rationale if has_rationale else "")
                if marked.given:
                    derived = read_rationale(spec, subject.question, row)
                    assert marked.given.after == derived


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for line in golden_lines(Path(folder)):
            sys.stdout.write(line + "\n")
