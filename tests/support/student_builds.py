"""A small build with variants, made by the real commands."""

from pathlib import Path

from cotbuild.builder.build.build import StoredBuild
from cotbuild.schemas.training import VariantRows
from tests.support.commands import invoke, write_questions

VARIANTS = (
    "label_only",
    "pre_cot",
    "post_cot",
    "explanation",
    "both_sides",
    "two_tasks",
    "rationale_only",
)


def make_build(
    folder: Path, questions: int = 40, variants: tuple[str, ...] = VARIANTS
) -> Path:
    """A build of a scripted teacher, about half of whose rationales are right."""
    texts = [
        f"Which of these {number} things floats? ½ 東京 🙂"
        for number in range(questions)
    ]
    write_questions(folder / "train.jsonl", texts)
    invoke(
        "generate",
        "--source",
        folder / "train.jsonl",
        "--teacher",
        "scripted",
        "--out",
        folder / "b",
    )
    invoke("variants", folder / "b", "--only", ",".join(variants))
    return folder / "b"


def variant_rows(folder: Path, variant: str = "post_cot") -> VariantRows:
    """The rows of a variant of the build in `folder`."""
    return StoredBuild.open(folder).variant_rows(variant)
