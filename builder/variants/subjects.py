"""The rationales of a build as transforms see them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cotbuild.builder.shards import read_rows
from cotbuild.builder.variants.base import Subject
from cotbuild.builder.variants.place import label_of
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.question import Choice, QuestionKind
from cotbuild.schemas.variant import LabelForm


def rationale_rows(build_dir: Path, manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Every row of the rationales config, in order. Raises DataError where a file cannot be read."""
    for entry in manifest.files:
        if entry.config_name == "rationales":
            yield from read_rows(build_dir / entry.path)


def to_subject(row: dict[str, Any]) -> Subject:
    """A published rationale as a transform's subject."""
    choices = tuple(Choice.model_construct(label=c["label"], text=c["text"]) for c in row["choices"])
    target = row["target"]
    return Subject(
        question_id=row["question_id"],
        sample_index=row["sample_index"],
        kind=QuestionKind(row["kind"]),
        question=row["question"],
        choices=choices,
        target=target,
        label="" if target is None else label_of(choices, target, LabelForm.TEXT),
        rationale=row["rationale"],
        answer=row["answer"],
    )
