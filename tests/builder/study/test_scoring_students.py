"""Whether the students that chose the words of variants know the held-out questions."""

import pytest

from cotbuild.builder.study.report.sections import describe_method, list_limitations
from cotbuild.builder.study.scoring_students import (
    check_scoring_students,
    describe_unknown,
    find_scoring_students,
)
from cotbuild.prompts.student import question_digest
from cotbuild.schemas.attribution import ScoresInfo, join_digests
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.study.record import ScoringStudent
from cotbuild.schemas.variant import VariantSpec
from cotbuild.schemas.variant_set import ScoresEntry
from tests.support.studies.version_2 import declare, whole_v2

DIGESTS = [question_digest(f"Which of {number} boats sinks?") for number in range(10)]
TOP: dict[str, object] = {"do": "top", "by": "scores", "count": 15, "file": "scores"}


UNUSED = {**TOP, "file": "unused"}


def spec_of(name: str, *transforms: dict[str, object]) -> VariantSpec:
    value = {"name": name, "about": "a", "placement": "post_cot"}
    return VariantSpec.parse({**value, "transforms": transforms}, "test")


def info_of(trained_on: str | None) -> ScoresInfo:
    return ScoresInfo(
        student="trained:1",
        method="m",
        steps=None,
        baseline=None,
        trained_on=trained_on,
    )


def find(trained_on: str | None) -> tuple[ScoringStudent, ...]:
    """Of two variants of the study, one of which is made by scores."""
    scored, plain = declare().main_variants[:2]
    specs = (spec_of(scored, TOP), spec_of(plain), spec_of("other", UNUSED))
    entry = ScoresEntry(info=info_of(trained_on))
    scores = {"scores": entry, "unused": entry}
    return find_scoring_students(declare(), specs, scores, frozenset(DIGESTS[:4]))


def test_digests_are_kept_once_in_order_and_shortened() -> None:
    joined = join_digests(["b" * 16, "a" * 16, "b" * 16])
    assert joined == "a" * 12 + "b" * 12
    info = info_of(joined)
    assert info.trained_on_digests == frozenset({"a" * 12, "b" * 12})
    assert ScoresInfo.parse(info.model_dump(mode="json"), "test") == info


@pytest.mark.parametrize(
    ("trained_on", "num_seen"),
    [(DIGESTS[3:], 1), (DIGESTS, 4), (DIGESTS[4:], 0), ([], 0)],
)
def test_the_questions_that_a_scoring_student_has_seen_are_counted(
    trained_on: list[str], num_seen: int
) -> None:
    (found,) = find(join_digests(trained_on))
    assert (found.file, found.student, found.num_seen) == (
        "scores",
        "trained:1",
        num_seen,
    )
    assert found.variants == declare().main_variants[:1]
    assert not describe_unknown([found])
    if not num_seen:
        check_scoring_students([found])
        return
    with pytest.raises(ConfigError, match=f"was trained on {num_seen} of the dev and"):
        check_scoring_students([found])


def test_a_file_that_records_no_questions_is_named_on_the_page() -> None:
    (found,) = find(None)
    check_scoring_students([found])
    (line,) = describe_unknown([found])
    assert line.startswith(f"{found.variants[0]}: the words were chosen by scores")
    record, results, _ = whole_v2()
    record = record.model_copy(update={"scoring_students": (found,)})
    assert line in list(list_limitations(record, results))


def test_the_page_says_that_a_scoring_student_has_seen_none() -> None:
    record, results, _ = whole_v2()
    record = record.model_copy(update={"scoring_students": find("")})
    terms = dict(describe_method(record, results))
    assert "trained on none of the dev and test questions" in terms["Scores of words"]
    assert not any(
        "words were chosen" in line for line in list_limitations(record, results)
    )
