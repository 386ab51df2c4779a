"""The questions of an evaluation, and their rows in a variant's prompts and labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from cotbuild.builder.build.build import QUESTIONS, StoredBuild
from cotbuild.builder.build.directory import MANIFEST
from cotbuild.builder.evaluation.input_mapping import (
    check_mapping,
    left_out_inputs,
    map_questions,
)
from cotbuild.builder.evaluation.models import open_build
from cotbuild.builder.sources.open import open_source
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.builder.ui import Ui
from cotbuild.builder.variants.registry import choose_variants
from cotbuild.prompts.student_rows import (
    evaluation_row,
    rationale_row,
    read_rationale,
)
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.evaluation import TEACHER
from cotbuild.schemas.question import Question
from cotbuild.schemas.variant import (
    Placement,
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    VariantRow,
)

DEFAULT_VARIANT = "label_only"
"""The variant whose prompts and labels a bare model gets."""


class GivenRationales(NamedTuple):
    """Rationales that a student is given, one for each question."""

    texts: Sequence[str]
    by: str
    """`TEACHER`, or the identity of the student that wrote them."""


class EvaluationQuestions(NamedTuple):
    """Questions of one split, with rationales if some are given."""

    split: str
    questions: list[Question]
    given: GivenRationales | None = None
    """None: the student generates its own rationales, or needs none."""
    mapping: Mapping[str, str] = MappingProxyType({})
    """The mapping of inputs that was applied; see `input_mapping`."""


def read_questions(
    source: str,
    split: str,
    limit: int | None,
    ui: Ui,
    config_name: str | None = None,
    mapping: Mapping[str, str] = MappingProxyType({}),
) -> EvaluationQuestions:
    """Read the first `limit` questions of a split, or all if `limit` is None.

    `source` is a build, a release (ORG/NAME@TAG), a known dataset or a file;
    `config_name` names the config of a dataset that has several, `mapping` the inputs to
    ask with or to leave out. Raises ConfigError if there is no such split or config,
    DataError if the split is empty or a question lacks an input of the mapping.
    """
    check_mapping(mapping)
    name = canonical_split(split)
    if _is_build(source):
        if config_name is not None:
            raise ConfigError(
                f"--config-name {config_name!r} with the build {source}, whose questions "
                "are of one config. Leave it out."
            )
        questions = read_build_questions(open_build(source, ui), split)
    else:
        config = SourceConfig(
            name=source,
            config_name=config_name,
            split=split,
            columns=dict.fromkeys(left_out_inputs(mapping), ""),
        )
        questions = open_source(config).read(split)
    selected = list(islice(questions, limit))
    if not selected:
        raise DataError(f"{source}: split {split!r} has no questions. Choose another.")
    return EvaluationQuestions(name, map_questions(selected, mapping), mapping=mapping)


def _is_build(source: str) -> bool:
    if "@" in source or source.startswith("file:"):
        return True
    return (Path(source).expanduser() / MANIFEST).is_file()


def read_build_questions(build: StoredBuild, split: str) -> Iterator[Question]:
    """Return the questions of an evaluation split of a build.

    Raises ConfigError if there is no such split.
    """
    name = canonical_split(split)
    splits = build.splits(QUESTIONS)
    if name not in splits:
        has = ", ".join(sorted(splits)) or "none"
        raise ConfigError(
            f"{build.folder}: no evaluation split {split!r}; it has {has}. "
            "Pass the dataset of the questions as --source, or build with "
            f"--eval-splits {split}."
        )
    return build.questions(name)


def read_unseen_rationales(
    source: str,
    spec: VariantSpec,
    is_seen: Callable[[Question], bool],
    limit: int | None,
    ui: Ui,
) -> EvaluationQuestions:
    """Read the first `limit` unseen questions with the teacher's first rationale each.

    The questions are those of the split that the build has rationales for; `is_seen`
    says whether the student was trained on one. Raises ConfigError if the build lacks
    the variant, DataError if every question was seen.
    """
    build = open_build(source, ui)
    if spec.fingerprint not in [known.fingerprint for known in build.specs]:
        raise ConfigError(
            f"{build.folder}: lacks variant {spec.ref!r} as the run was trained on it. Pass "
            "the build that the run was trained on with --source."
        )
    pairs = list(islice(_unseen_pairs(build, spec, is_seen), limit))
    if not pairs:
        raise DataError(
            f"{build.folder}: the student was trained on every question of {spec.name!r}. "
            "Train it on fewer, with --rows."
        )
    questions = [question for question, _ in pairs]
    rationales = [rationale for _, rationale in pairs]
    given = GivenRationales(rationales, TEACHER)
    return EvaluationQuestions(build.split, questions, given)


def _unseen_pairs(
    build: StoredBuild, spec: VariantSpec, is_seen: Callable[[Question], bool]
) -> Iterator[tuple[Question, str]]:
    """Yield each unseen question once, with its first rationale in the variant."""
    questions = {row.question_id: row.question_record() for row in build.rationales()}
    yielded: set[str] = set()
    for row in build.rows_of_any_format(spec.name):
        question = questions[row.question_id]
        if question.id in yielded or is_seen(question):
            continue
        rationale = read_rationale(spec, question, row)
        if not rationale:
            continue
        yielded.add(question.id)
        yield question, rationale


# -- rows and variants -----------------------------------------------------------------


def evaluation_rows(
    spec: VariantSpec,
    questions: Sequence[Question],
    rationales: Sequence[str] | None = None,
) -> list[VariantRow]:
    """Return a row for each question; its completion is the reference label alone.

    It is empty for rationale_only. `rationales` are in the prompts of a variant that
    gives one there; raises ConfigError if it is None for such a variant.
    """
    if spec.evaluated.placement is Placement.RATIONALE_ONLY:
        return [rationale_row(spec.evaluated, question) for question in questions]
    if rationales is None and spec.evaluated.gives_rationale:
        raise ConfigError(
            f"variant {spec.name!r} reads a rationale in its prompt, and none is given. "
            "Pass --rationales-from with a run that writes rationales, such as one "
            "trained on rationale_only, or --teacher-chains."
        )
    texts = [None] * len(questions) if rationales is None else rationales
    rows = (
        evaluation_row(spec, question, rationale)
        for question, rationale in zip(questions, texts, strict=True)
    )
    return [row for row in rows if row is not None]


def choose_variant(name: str | None, file: Path | None) -> VariantSpec:
    """Return the variant that --variant and --spec name; `DEFAULT_VARIANT` for none.

    Raises ConfigError if they name several.
    """
    if name is None and file is None:
        name = DEFAULT_VARIANT
    specs = choose_variants([name] if name else None, [file] if file else [])
    if len(specs) != 1:
        raise ConfigError(
            f"--variant names {', '.join(spec.name for spec in specs)}. Name one of them."
        )
    return specs[0]
