"""The students whose scores choose the words of a study's variants.

Such a student has seen the answers to the questions that it was trained on. If dev or
test questions are among them, its scores favour the variants that are made with them.
Pure.
"""

from collections.abc import Iterable, Mapping, Sequence, Set

from cotbuild.builder.variants.scores import find_scores_files
from cotbuild.schemas.attribution import ScoresInfo, shorten_digest
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.study.parse import AnyStudy
from cotbuild.schemas.study.record import ScoringStudent
from cotbuild.schemas.variant import VariantSpec
from cotbuild.schemas.variant_set import ScoresEntry


def find_scoring_students(
    study: AnyStudy,
    specs: Iterable[VariantSpec],
    scores: Mapping[str, ScoresEntry],
    text_digests: Set[str],
) -> tuple[ScoringStudent, ...]:
    """Return the students that scored words for variants of the study.

    `specs` are the variants of the build, `scores` what its manifest records of scores
    files, `text_digests` those of the texts of the dev and test questions.
    """
    trained = {key.variant for key in study.all_cells()}
    specs = [spec for spec in specs if spec.name in trained]
    return tuple(
        ScoringStudent(
            file=file,
            student=entry.info.student,
            variants=tuple(
                spec.name for spec in specs if file in find_scores_files([spec])
            ),
            num_seen=count_seen(entry.info, text_digests),
        )
        for file, entry in scores.items()
        if file in find_scores_files(specs)
    )


def count_seen(info: ScoresInfo, text_digests: Iterable[str]) -> int | None:
    """Count the questions that a scoring student was trained on; None: not recorded."""
    trained_on = info.trained_on_digests
    if trained_on is None:
        return None
    shortened = set(map(shorten_digest, text_digests))
    return len(shortened & trained_on)


def check_scoring_students(students: Sequence[ScoringStudent]) -> None:
    """Raise ConfigError if one was trained on a dev or test question."""
    for one in students:
        if one.num_seen:
            raise ConfigError(
                f"variant {one.variants[0]!r}: its words were chosen by scores of a student "
                f"({one.student:.24}…) that was trained on {one.num_seen} of the dev and "
                "test questions. Train it again with `cotbuild train --hold-out "
                "STUDY.yaml`, see docs/attribution.md, or leave out the variant."
            )


def describe_unknown(students: Iterable[ScoringStudent]) -> list[str]:
    """Return a sentence on each student whose training questions are not recorded."""
    return [
        f"{', '.join(one.variants)}: the words were chosen by scores of a student of which "
        "it is not recorded what questions it was trained on. If dev and test questions "
        "are among them, that favours these variants."
        for one in students
        if one.num_seen is None
    ]
