"""From an answer to a published row, and the counts over rows."""

from pathlib import Path

import pytest

from cotbuild.builder.generate.chains import (
    ChainRules,
)
from cotbuild.builder.generate.follow import (
    extend_chain,
    start_chain,
)
from cotbuild.builder.generate.rows import BuildCounts, flag_duplicates, to_rationale
from cotbuild.prompts.defaults import (
    load_templates,
)
from cotbuild.schemas.answers.grade import PLAIN_GRADING
from cotbuild.schemas.completion import Completion, Failure, FailureKind
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import Flag, Purpose, Rationale, Verdict
from tests.schemas.test_records import question

KEY = "ab" * 32


def said(
    text: str, finish_reason: str = "stop", reasoning: str | None = None
) -> Completion:
    value = {
        "request_key": KEY,
        "text": text,
        "finish_reason": finish_reason,
        "reasoning": reasoning,
    }
    return Completion.model_validate({**value, "completion_tokens": 7})


def row(
    answer: Completion | Failure,
    target: str | None = "B",
    template: str = "choice_few_shot@1",
) -> Rationale:
    asking = ChainRules(
        BuildConfig(), "t", {Purpose.ELICIT: load_templates([template])}
    )
    return to_rationale(
        extend_chain(asking, start_chain(asking, question(target=target), 0), answer),
        PLAIN_GRADING,
    )


def test_a_line_head_of_the_template_ends_the_turn(tmp_path: Path) -> None:
    template = tmp_path / "text.yaml"
    template.write_text(
        "name: text\nversion: 1\nkind: choice\nabout: a test\nanswer: last\n"
        'user: "Text: $question\\n$choices"\n'
    )
    answer = said("The answer is (B).\nText: Another.\nThe answer is (A).")
    assert row(answer, template=str(template)).answer == "B"
    assert row(answer).answer == "A"


@pytest.mark.parametrize(
    ("answer", "template", "verdict", "kept", "flags"),
    [
        (
            said("It fits.\nThe answer is (B)."),
            "choice_few_shot@1",
            Verdict.CORRECT,
            "It fits.",
            (),
        ),
        (
            said("Nothing fits."),
            "choice_few_shot@1",
            Verdict.NO_ANSWER,
            "Nothing fits.",
            (),
        ),
        (
            said("It fits, since", "length"),
            "choice_few_shot@1",
            Verdict.TRUNCATED,
            "It fits, since",
            (),
        ),
        (
            said("Answer: The answer is B because it", "length"),
            "choice_label_first@1",
            Verdict.CORRECT,
            "it",
            (Flag.CUT,),
        ),
        (
            said("The answer is (B).", reasoning=" It fits.\n"),
            "choice_few_shot@1",
            Verdict.CORRECT,
            "It fits.",
            (),
        ),
        (
            said("", reasoning=None),
            "choice_few_shot@1",
            Verdict.NO_ANSWER,
            "",
            (Flag.EMPTY,),
        ),
    ],
)
def test_the_row_says_what_the_judgement_does(
    answer: Completion,
    template: str,
    verdict: Verdict,
    kept: str,
    flags: tuple[Flag, ...],
) -> None:
    """What the judgement itself says of texts stands in
    tests/schemas/answers/test_grade.py.
    """
    found = row(answer, template=template)
    assert (found.verdict, found.rationale, found.flags) == (verdict, kept, flags)
    assert (found.purpose, found.other_steps, found.teacher) == (
        Purpose.ELICIT,
        (),
        "t",
    )


def test_the_same_rationale_again_is_flagged_and_the_first_is_not() -> None:
    texts = (
        "It floats. The answer is B.",
        "It sinks. The answer is A.",
        "it  FLOATS. The answer is A.",
        "",
        "",
    )
    rows = list(flag_duplicates(row(said(text)) for text in texts))
    assert [Flag.DUPLICATE in found.flags for found in rows] == [
        False,
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("kind", FailureKind)
def test_an_infrastructure_failure_is_unscored_never_wrong(kind: FailureKind) -> None:
    found = row(Failure(request_key=KEY, kind=kind, message="no"))
    assert (found.verdict, found.failure, found.completion, found.answer) == (
        Verdict.UNSCORED,
        kind.value,
        None,
        None,
    )
    assert found.request_key == KEY


def test_a_question_without_a_published_target_is_unscored_and_keeps_its_rationale() -> (
    None
):
    found = row(said("It fits.\nThe answer is (B)."), target=None)
    assert (found.verdict, found.failure, found.rationale, found.answer) == (
        Verdict.UNSCORED, None, "It fits.", "B",
    )  # fmt: skip


def test_the_completion_is_kept_verbatim() -> None:
    text = "  so \u200b\n\n The answer is (B).\r\nQuestion: next?"
    assert row(said(text)).completion == text


def test_percents_of_shares_are_counted() -> None:
    answered = row(said("x"))
    tally = BuildCounts()
    for verdict, answer, target in (
        (Verdict.INCORRECT, "50", "0.5"),
        (Verdict.INCORRECT, "51", "0.5"),
        (Verdict.CORRECT, "0.5", "0.5"),
        (Verdict.NO_ANSWER, None, "0.5"),
    ):
        case = {"verdict": verdict, "answer": answer, "target": target}
        case["kind"] = QuestionKind.NUMBER
        tally.add(answered.model_copy(update=case))
    assert tally.num_hundredfold == 1


def test_counts_add_up() -> None:
    tally = BuildCounts()
    answers: list[Completion | Failure] = [
        said("x. The answer is (B)."),
        said("y"),
        said("z. The answer is A."),
        said("z", "length"),
    ]
    failed: Completion | Failure = Failure(
        request_key=KEY, kind=FailureKind.REJECTED, message="no"
    )
    for answer in [*answers, failed]:
        tally.add(row(answer))
    tally.add(row(said("no target"), target=None))
    assert tally.verdicts == {
        "correct": 1,
        "no_answer": 1,
        "incorrect": 1,
        "truncated": 1,
        "unscored": 2,
    }
    assert tally.failures == {"rejected": 1, "no_target": 1}
    assert tally.by_target["choice: B"].total() == 5
    assert tally.completion_tokens == 35


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], []),
        ([3], [3] * 5),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        ([9, 1], [1, 1, 9, 9, 9]),
    ],
)
def test_length_quartiles(lengths: list[int], expected: list[int]) -> None:
    tally = BuildCounts()
    tally.lengths.update(lengths)
    assert tally.length_quartiles() == expected
