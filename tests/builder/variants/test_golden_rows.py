"""What every shipped variant makes of fixed rationales of our own: a change here is a
new version of the variant, and the version that it replaces stays.

After a deliberate change: python -m tests.builder.variants.test_golden_rows >
tests/golden/variant_rows.jsonl
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cotbuild.builder.variants.compile import CompiledVariant
from cotbuild.builder.variants.corpus import LoadedCorpus
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.listing import EXAMPLES
from cotbuild.builder.variants.registry import builtin_variants, earlier_variants
from cotbuild.builder.variants.scores import write_scores
from cotbuild.prompts.student import StudentPrompt
from cotbuild.prompts.student_rows import training_rows
from cotbuild.schemas.attribution import (
    ScoredRationale,
    ScoredSpan,
    ScoresInfo,
    rationale_digest,
)
from cotbuild.schemas.question import Question
from cotbuild.schemas.variant import VariantSpec
from tests.schemas.test_records import question

GOLDEN = Path(__file__).parents[2] / "golden" / "variant_rows.jsonl"


def _question(question_id: str, kind: str, text: str, target: str) -> Question:
    return question(id=question_id, kind=kind, text=text, choices=[], target=target)


SUBJECTS: tuple[RationaleExample, ...] = (
    *EXAMPLES,
    RationaleExample(
        _question("n", "number", "How many are 3 × 4?", "12"),
        1,
        "Three fours are 4 + 4 + 4 = 12.",
        "12",
    ),
    RationaleExample(
        _question("u", "text", "Où ?", "東京"),
        0,
        "C’est là-bas 🙂,  « 東京 »\nvoilà.",
        "東京",
    ),
    RationaleExample(
        _question("one", "yes_no", "Is it so?", "yes"), 0, "Indeed.", "yes"
    ),
)
"""Of our own making: every kind of question, Unicode, a single word."""


VERSIONS = {
    spec.ref: spec
    for spec in (*builtin_variants().values(), *earlier_variants().values())
    if spec.tokenizer is None
}
"""Every version of a variant that shipped, by `name@version`."""


def name_of(spec: VariantSpec) -> str:
    """Return how golden files name a variant: with its version from 2 on."""
    return spec.name if spec.version == 1 else spec.ref


def files(folder: Path) -> dict[str, Path]:
    """What `post_cot_attributed_15` and `post_cot_listed` name."""
    words, scores = folder / "words.txt", folder / "scores.parquet"
    words.write_text("cork sun thorns fours indeed là-bas")
    rows = [
        ScoredRationale(
            question_id=s.question_id,
            sample_index=s.sample_index,
            rationale_digest=rationale_digest(s.rationale),
            spans=tuple(
                ScoredSpan(start=i, end=i + 1, score=(i * 7 % 5) - 2.0, option=False)
                for i in range(len(s.rationale))
                if not s.rationale[i].isspace()
            ),
        )
        for s in SUBJECTS
    ]
    write_scores(
        scores,
        ScoresInfo(student="none", method="made up", steps=1, baseline="none"),
        rows,
    )
    return {"words": words, "scores": scores}


def made(
    folder: Path, subjects: Sequence[RationaleExample]
) -> Iterator[tuple[str, str, list[str] | None]]:
    """Variant, question id and completions; None: it cannot have it. Not pieces: they
    hang on a tokenizer's file. Versions from 2 on are named.
    """
    with LoadedCorpus(subjects, files(folder)) as corpus:
        for spec in VERSIONS.values():
            recipe = CompiledVariant.compile(spec)
            for subject in subjects:
                one = recipe.derive(subject, 0, corpus)
                prompt = StudentPrompt(subject.question)
                rows = (
                    training_rows(
                        spec, prompt, subject.sample_index, one.label, one.rationale
                    )
                    if one
                    else None
                )
                yield (
                    name_of(spec),
                    subject.question_id,
                    [row.completion_text for row in rows] if rows is not None else None,
                )


def test_every_shipped_variant_makes_what_it_always_made(tmp_path: Path) -> None:
    golden = GOLDEN.read_text(encoding="utf-8").splitlines()
    expected = [json.loads(line) for line in golden]
    derived = [list(row) for row in made(tmp_path, SUBJECTS)]
    assert sorted(derived, key=repr) == sorted(expected, key=repr)


def test_the_order_of_the_rationales_says_nothing(tmp_path: Path) -> None:
    forwards, backwards = made(tmp_path, SUBJECTS), made(tmp_path, SUBJECTS[::-1])
    assert sorted(forwards, key=repr) == sorted(backwards, key=repr)


@pytest.mark.parametrize("ref", VERSIONS)
def test_a_row_can_be_derived_alone(ref: str, tmp_path: Path) -> None:
    spec = VERSIONS[ref]
    with LoadedCorpus(SUBJECTS, files(tmp_path)) as corpus:
        together = [
            CompiledVariant.compile(spec).derive(subject, 3, corpus)
            for subject in SUBJECTS
        ]
        assert (
            CompiledVariant.compile(spec).derive(SUBJECTS[2], 3, corpus) == together[2]
        )


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for line in made(Path(folder), SUBJECTS):
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
