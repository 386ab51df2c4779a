"""TRL's own preprocessing makes the same tokens of a row, and supervises the same."""

from pathlib import Path

import pytest
from datasets import Dataset
from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]

from cotbuild.prompts.student import StudentPrompt
from cotbuild.prompts.student_rows import training_rows
from cotbuild.schemas.question import Question
from cotbuild.schemas.variant import (
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    VariantRow,
)
from cotbuild.student.tokenize_parts import TokenPart
from cotbuild.student.training.examples import RowTokenizer
from tests.student.test_chat import CHATML
from tests.support.tiny import tiny_student

QUESTION = Question.create("Which floats?", choices=["a stone", "a cork"], target="B")
UNSUPERVISED = -100
PLACEMENTS = (
    "label_only",
    "pre_cot",
    "post_cot",
    "both_sides",
    "two_tasks",
    "rationale_only",
    "given_rationale",
)


def spec_of(form: str, placement: str) -> VariantSpec:
    values = {"name": "v", "about": "a", "placement": placement, "format": form}
    if form == "messages":
        values["train_on"] = "all"
    return VariantSpec.parse(values, "test")


def rows_of(spec: VariantSpec) -> list[VariantRow]:
    prompt = StudentPrompt(QUESTION)
    return training_rows(spec, prompt, 0, "a cork", "Cork is light.\nStone is not.")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "messages"])
def test_trl_reads_and_supervises_the_same_tokens(form: str, tmp_path: Path) -> None:
    student = tiny_student("llama")
    student.tokenizer.chat_template = CHATML
    rows: list[VariantRow] = []
    ours = []
    for placement in PLACEMENTS:
        spec = spec_of(form, placement)
        tokenize = RowTokenizer(student.tokenizer, spec, "tiny")
        for row in rows_of(spec):
            rows.append(row)
            made = tokenize(row)
            supervised = [
                token if part != TokenPart.PROMPT else UNSUPERVISED
                for token, part in zip(made.input_ids_T, made.parts_T, strict=True)
            ]
            ours.append((made.input_ids_T, supervised))
    settings = SFTConfig(
        output_dir=str(tmp_path),
        use_cpu=True,
        bf16=False,
        report_to=[],
        max_length=None,
    )
    trainer = SFTTrainer(
        student.model,
        args=settings,
        train_dataset=Dataset.from_list([row.model_dump(mode="json") for row in rows]),
        processing_class=student.tokenizer,
    )
    prepared = trainer.train_dataset
    assert isinstance(prepared, Dataset)
    made_by_trl = [(row["input_ids"], row["labels"]) for row in prepared]
    assert made_by_trl == ours
