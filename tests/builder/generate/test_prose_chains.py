"""Chains of prose: continued from the reference, asked again only without an answer."""

import pytest

from cotbuild.builder.generate.follow import (
    start_chain,
)
from cotbuild.prompts.template import load_template
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import Purpose, Verdict
from tests.builder.generate.test_chain_modes import asking, follow, row

ASKED = Question.create(
    "The dog runs.", kind=QuestionKind.PROSE, target="Der Hund rennt."
)
ANSWERED = "The verb matters.\n\nAnswer: Der Hund läuft."


def test_the_teacher_continues_its_turn_behind_the_reference() -> None:
    mode = asking(mode="rationalize")
    step = start_chain(mode, ASKED, 0).open_step
    assert step is not None
    last = step.request.messages[-1]
    assert step.request.continue_final_message
    assert (last.role, last.text) == ("assistant", "Der Hund rennt.\n\nExplanation:")
    found = row(mode, [" The verb matters."], ASKED)
    assert (found.rationale, found.answer) == ("The verb matters.", ASKED.target)
    assert (found.verdict, found.answer_rule) == (Verdict.SCORED, "given_target")
    assert found.answer_start is None


def test_a_cut_continuation_is_asked_for_once_more() -> None:
    mode = asking(mode="rationalize", on_length="longer")
    chain = follow(mode, ["The ve"], ASKED, finish="length")
    assert chain.open_step is not None
    assert chain.open_step.request.continue_final_message
    assert chain.open_step.request.sampling.max_tokens == mode.longer_tokens
    found = row(mode, ["The ve", "The verb."], ASKED, finish="length")
    assert (found.rationale, found.flags) == ("The verb.", ())


@pytest.mark.parametrize(
    ("text", "finish"), [("It runs.", "stop"), ("It runs.\nAnswer: Der Hu", "length")]
)
def test_only_a_missing_answer_is_asked_again_with_the_reference(
    text: str, finish: str
) -> None:
    mode = asking(mode="elicit-then-rationalize")
    answered = row(mode, [ANSWERED], ASKED)
    assert (answered.purpose, answered.verdict) == (Purpose.ELICIT, Verdict.SCORED)
    again = row(mode, [text, "It runs."], ASKED, finish)
    assert (again.purpose, again.answer_rule) == (Purpose.RATIONALIZE, "given_target")


def test_json_is_read_where_it_was_asked_for() -> None:
    found = row(
        asking(decode="json"), ['{"rationale":"It runs.","answer":"Der Hund."}'], ASKED
    )
    assert (found.answer, found.rationale) == ("Der Hund.", "It runs.")


def test_the_choice_of_a_short_answer_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"answered in prose, and --decode choice"):
        start_chain(asking(decode="choice"), ASKED, 0)


def test_a_choice_follows_the_whole_turn_that_was_continued() -> None:
    asked = Question.create("Who barks?", choices=["a dog", "a cat"], target="A")
    template = load_template("choice_zero_shot").replace(reply_start="Dogs bark,")
    mode = asking(decode="choice")
    templates = {Purpose.ELICIT: {QuestionKind.CHOICE: template}}
    mode = type(mode)(mode.config, mode.teacher, templates)
    chain = follow(mode, [" so it is a dog."], asked)
    assert chain.open_step is not None
    request = chain.open_step.request
    assert not request.continue_final_message
    assert [message.role for message in request.messages[-3:]] == [
        "user",
        "assistant",
        "user",
    ]
    assert request.messages[-2].text == "Dogs bark, so it is a dog."
