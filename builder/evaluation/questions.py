"""What is evaluated: questions of a source or a build, and the variant whose prompts
and labels they get.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from cotbuild.builder.build.build import QUESTIONS, Build
from cotbuild.builder.build.directory import MANIFEST
from cotbuild.builder.evaluation.models import open_build
from cotbuild.builder.sources.open import open_source
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.builder.ui import Ui
from cotbuild.builder.variants.registry import choose_variants
from cotbuild.prompts.student import evaluation_row
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Question
from cotbuild.schemas.variant import Placement, TrainingRow, VariantSpec

DEFAULT_VARIANT = "label_only"


def evaluation_questions(
    source: str, split: str, limit: int | None, ui: Ui
) -> list[Question]:
    """The first `limit` questions of a split: of a build, of a release (ORG/NAME@TAG),
    or of any source.

    Raises ConfigError where there is no such split, DataError where it is empty.
    """
    if (
        "@" in source
        or source.startswith("file:")
        or (Path(source).expanduser() / MANIFEST).is_file()
    ):
        questions = _of_build(open_build(source, ui), canonical_split(split))
    else:
        questions = open_source(SourceConfig(name=source, split=split)).read(split)
    found = list(islice(questions, limit))
    if not found:
        raise DataError(
            f"{source}: no questions in {split!r}. Expected some to evaluate on."
        )
    return found


def _of_build(build: Build, split: str) -> Iterator[Question]:
    splits = build.splits(QUESTIONS)
    if split not in splits:
        raise ConfigError(
            f"{build.folder}: no evaluation split {split!r}; it has {sorted(splits)}. "
            "Pass the dataset of the questions as --source, or build with "
            f"--eval-splits {split}."
        )
    return build.questions(split)


def evaluation_rows(spec: VariantSpec, questions: list[Question]) -> list[TrainingRow]:
    """A row a question. Raises ConfigError for rationale_only."""
    if spec.placement is Placement.RATIONALE_ONLY:
        raise ConfigError(
            f"variant {spec.name!r} is trained to say no label. Expected one that says a label. There is nothing to "
            "evaluate."
        )
    rows = (evaluation_row(spec, question) for question in questions)
    return [row for row in rows if row is not None]


def chosen_variant(name: str | None, file: Path | None) -> VariantSpec:
    """The variant of --variant and --spec.

    Raises ConfigError where they name none or several.
    """
    only = [name] if name else None if file else [DEFAULT_VARIANT]
    specs = choose_variants(only, [file] if file else [])
    if len(specs) != 1:
        raise ConfigError(
            f"--variant names {[spec.name for spec in specs]}. Expected one of them."
        )
    return specs[0]
