"""Students whose labels end themselves: their cells are others than those of versions
that counted the next token as a label's end, and those of all other students the same.
"""

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from cotbuild.builder.evaluation.models import ResolvedModel
from cotbuild.builder.evaluation.task import make_task, untrained_student
from cotbuild.builder.study.plan import CellPlanner
from cotbuild.builder.study.training_rows import TrainingRows
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.prompts.student import layout_of
from cotbuild.schemas.question import Choice
from cotbuild.schemas.study.declaration import CellKey, StudyStage
from cotbuild.schemas.training import Loss, VariantRows
from cotbuild.schemas.variant_rows import TrainingRow
from tests.student.evaluation.test_decode import choice_item
from tests.support.studies.cells_made import VARIANTS, make_study
from tests.support.tiny import merging_tokenizer, tiny_tokenizer

SPECS = builtin_variants()


class Build:
    """Two rationales, whose labels end in `label_end`."""

    def __init__(self, label_end: str) -> None:
        self._label = f"the U.S{label_end}"

    def variant_rows(self, variant: str) -> VariantRows:
        rows = [self._row(variant, number) for number in range(2)]
        texts = {row.question_id: row.question_id for row in rows}
        return VariantRows("0" * 64, "0" * 64, SPECS[variant], "train", rows, texts)

    def _row(self, variant: str, number: int) -> TrainingRow:
        before = " Reasoning: It is.\nAnswer: " if variant == "pre_cot" else " "
        after = "\nReasoning: It is." if variant == "post_cot" else ""
        return TrainingRow(
            question_id=f"q{number}",
            sample_index=0,
            task=None,
            prompt="Where?",
            completion=f"{before}{self._label}{after}",
            choices=(),
            target=self._label,
            label_start=len(before),
            label_end=len(before) + len(self._label),
            rationale_start=None,
            rationale_end=None,
        )


def fingerprints(folder: Path, label_end: str) -> dict[str, str]:
    """Return the fingerprint of a cell of each variant."""
    stage = StudyStage(name="one", variants=VARIANTS, seeds=(0,), rows=(2,))
    study = make_study([stage])
    planner = CellPlanner(
        study,
        TrainingRows(study, study, Build(label_end)),
        {"embedded": ResolvedModel(str(folder), "local:tiny", None)},
        "0" * 64,
    )
    found = {}
    for variant in VARIANTS:
        key = CellKey(
            variant=variant, student="embedded", rows=2, loss=Loss.PARTS, seed=0
        )
        found[variant] = planner.plan(key, {}).fingerprint
    return found


@pytest.mark.parametrize(
    ("label_end", "changed"), [(".", ["post_cot"]), ("", []), ("!", [])]
)
def test_only_cells_with_labels_that_end_themselves_have_another_fingerprint(
    label_end: str, changed: list[str], tmp_path: Path
) -> None:
    found = []
    for name, tokenizer in (
        ("merges", merging_tokenizer()),
        ("keeps", tiny_tokenizer("gpt2")),
    ):
        tokenizer.save_pretrained(tmp_path / name)
        found.append(fingerprints(tmp_path / name, label_end))
    merging, other = found
    assert [name for name in VARIANTS if merging[name] != other[name]] == changed


@pytest.mark.parametrize(
    ("tokenizer", "variant", "option", "marked"),
    [
        (merging_tokenizer(), "post_cot", "the U.S.", True),
        (merging_tokenizer(), "post_cot", "the U.S", False),
        (merging_tokenizer(), "label_only", "the U.S.", False),
        (tiny_tokenizer("gpt2"), "post_cot", "the U.S.", False),
    ],
)
def test_an_evaluation_records_labels_that_end_themselves(
    tokenizer: PreTrainedTokenizerFast,
    variant: str,
    option: str,
    marked: bool,
    tmp_path: Path,
) -> None:
    tokenizer.save_pretrained(tmp_path)
    spec = SPECS[variant]
    model = ResolvedModel(str(tmp_path), "local:tiny", None)
    student = untrained_student(model, spec, layout_of(spec))
    question = choice_item(0, "A").question
    choices = (Choice(label="A", text=option), *question.choices[1:])
    question = question.model_copy(update={"choices": choices})
    inputs = make_task(student, [question], "test").inputs
    assert inputs.merged_label_ends is marked
    assert ("merged_label_ends" in inputs.model_dump()) is marked
