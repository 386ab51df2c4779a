"""From an answer to a published row, and the counts over rows."""

import pytest

from cotbuild.builder.derive import Tally, judge, to_rationale
from cotbuild.builder.plan import Chain
from cotbuild.prompts.template import load_template
from cotbuild.schemas.completion import Completion, Failure, FailureKind
from cotbuild.schemas.rationale import Flag, Rationale, Verdict
from tests.schemas.test_records import question

LAST, FIRST = load_template("choice_few_shot@1"), load_template("choice_label_first@1")
KEY = "ab" * 32


def said(text: str, finish_reason: str = "stop", reasoning: str | None = None) -> Completion:
    value = {"request_key": KEY, "text": text, "finish_reason": finish_reason, "reasoning": reasoning}
    return Completion.model_validate({**value, "completion_tokens": 7})


@pytest.mark.parametrize(
    ("answer", "template", "verdict", "kept", "flags"),
    [
        (said("That one fits.\nThe answer is (B)."), LAST, Verdict.CORRECT, "That one fits.", ()),
        (said("This one fits.\nThe answer is (A)."), LAST, Verdict.INCORRECT, "This one fits.", ()),
        (said("The answer is (B). That fits.\nThe answer is (B)."), LAST, Verdict.CORRECT, "That fits.", ()),
        (said("Nothing fits."), LAST, Verdict.NO_ANSWER, "Nothing fits.", ()),
        (said("That one fits, since", "length"), LAST, Verdict.TRUNCATED, "That one fits, since", ()),
        (said("Answer: The answer is B because it fits"), FIRST, Verdict.CORRECT, "it fits", ()),
        (said("Answer: The answer is B because it", "length"), FIRST, Verdict.CORRECT, "it", (Flag.CUT,)),
        (said("The answer is (B)."), LAST, Verdict.CORRECT, "", (Flag.NO_RATIONALE,)),
        (said("The answer is (B).", reasoning=" It fits.\n"), LAST, Verdict.CORRECT, "It fits.", ()),
        (said(""), LAST, Verdict.NO_ANSWER, "", ()),
    ],
)
def test_verdict_rationale_and_flags(
    answer: Completion, template: object, verdict: Verdict, kept: str, flags: tuple[Flag, ...]
) -> None:
    assert template in (LAST, FIRST)
    found = judge(question(), LAST if template is LAST else FIRST, answer)
    assert (found.verdict, found.rationale, found.flags) == (verdict, kept, flags)


def row(answer: Completion | Failure, target: str | None = "B") -> Rationale:
    return to_rationale(Chain(question(target=target), 0, (answer,), None), LAST)


@pytest.mark.parametrize("kind", FailureKind)
def test_an_infrastructure_failure_is_unscored_never_wrong(kind: FailureKind) -> None:
    found = row(Failure(request_key=KEY, kind=kind, message="no"))
    assert (found.verdict, found.failure, found.completion, found.answer) == (Verdict.UNSCORED, kind.value, None, None)
    assert found.request_key == KEY


def test_a_question_without_a_published_target_is_unscored_and_keeps_its_rationale() -> None:
    found = row(said("That one fits.\nThe answer is (B)."), target=None)
    assert (found.verdict, found.failure, found.rationale, found.answer) == (
        Verdict.UNSCORED, None, "That one fits.", "B",
    )  # fmt: skip


def test_the_completion_is_kept_verbatim() -> None:
    text = "  so \u200b\n\n The answer is (B).\r\nQuestion: next?"
    assert row(said(text)).completion == text


def test_counts_add_up() -> None:
    tally = Tally()
    answers: list[Completion | Failure] = [
        said("x. The answer is (B)."),
        said("y"),
        said("z. The answer is A."),
        said("z", "length"),
    ]
    failed: Completion | Failure = Failure(request_key=KEY, kind=FailureKind.REJECTED, message="no")
    for answer in [*answers, failed]:
        tally.add(row(answer))
    tally.add(row(said("no target"), target=None))
    assert tally.verdicts == {"correct": 1, "no_answer": 1, "incorrect": 1, "truncated": 1, "unscored": 2}
    assert tally.failures == {"rejected": 1, "no_target": 1}
    assert tally.by_target["choice: B"].total() == 5
    assert tally.completion_tokens == 35


@pytest.mark.parametrize(
    ("lengths", "expected"), [([], []), ([3], [3] * 5), ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]), ([9, 1], [1, 1, 9, 9, 9])]
)
def test_length_quartiles(lengths: list[int], expected: list[int]) -> None:
    tally = Tally()
    tally.lengths.update(lengths)
    assert tally.length_quartiles() == expected
