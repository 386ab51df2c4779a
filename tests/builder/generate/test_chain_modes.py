"""Ways of asking: which request follows which answer, and what the row then says."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cotbuild.builder.generate.chains import (
    Chain,
    ChainRules,
)
from cotbuild.builder.generate.exemplars import draw_exemplars
from cotbuild.builder.generate.follow import (
    extend_chain,
    start_chain,
)
from cotbuild.builder.generate.rows import to_rationale
from cotbuild.builder.generate.teacher_job import load_purpose_templates
from cotbuild.builder.release.rederive import stored_answers
from cotbuild.prompts.template import ASK_JSON
from cotbuild.schemas.answers.grade import PLAIN_GRADING
from cotbuild.schemas.completion import Completion, Failure, FailureKind
from cotbuild.schemas.config import BuildConfig, ExemplarsConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.rationale import Flag, Purpose, Rationale, Verdict
from tests.schemas.test_records import question

RIGHT, WRONG = (
    "That one fits.\nThe answer is (B).",
    "This one fits.\nThe answer is (A).",
)


def asking(**settings: Any) -> ChainRules:
    config = BuildConfig.model_validate(settings, strict=False)
    return ChainRules(config, "t", load_purpose_templates(config))


def follow(
    mode: ChainRules,
    texts: Sequence[str],
    asked: Question | None = None,
    finish: str = "stop",
) -> Chain:
    """The chain after these texts; the first one has the finish_reason `finish`, the
    others stop.
    """
    chain = start_chain(mode, asked or question(), 0)
    for number, text in enumerate(texts):
        assert chain.open_step is not None, (
            f"finished after {number} of {len(texts)} answers"
        )
        reason = finish if number == 0 else "stop"
        value = {
            "request_key": chain.open_step.request.request_key,
            "text": text,
            "finish_reason": reason,
            "notes": ("any reply", f"reply {number}"),
        }
        chain = extend_chain(mode, chain, Completion.model_validate(value))
    return chain


def derive_again(mode: ChainRules, found: Rationale) -> Rationale:
    """Return the row derived from the answers that it holds."""
    chain = start_chain(mode, found.question_record(), found.sample_index)
    for _, answer in stored_answers(found):
        chain = extend_chain(mode, chain, answer)
    return to_rationale(chain, PLAIN_GRADING)


def row(
    mode: ChainRules,
    texts: Sequence[str],
    asked: Question | None = None,
    finish: str = "stop",
) -> Rationale:
    chain = follow(mode, texts, asked, finish)
    assert chain.open_step is None
    found = to_rationale(chain, PLAIN_GRADING)
    assert derive_again(mode, found) == found
    return found


def last_turn(chain: Chain) -> str:
    assert chain.open_step is not None
    return chain.open_step.request.messages[-1].text


# -- the target hidden or shown ----------------------------------------------------------------------------------------


def test_elicit_hides_the_target_and_rationalize_shows_it() -> None:
    hidden, shown = follow(asking(), []), follow(asking(mode="rationalize"), [])
    assert "Correct answer" not in last_turn(hidden)
    assert "Correct answer: (B) that" in last_turn(shown)


def test_a_rationalized_row_says_so_and_is_still_judged() -> None:
    found = row(asking(mode="rationalize"), [WRONG])
    assert (found.purpose, found.verdict, found.template) == (
        Purpose.RATIONALIZE, Verdict.INCORRECT, "choice_rationalize@1",
    )  # fmt: skip


def test_only_what_went_wrong_is_asked_again_with_the_target() -> None:
    mode = asking(mode="elicit-then-rationalize")
    right = row(mode, [RIGHT])
    assert (right.purpose, right.other_steps, right.verdict) == (
        Purpose.ELICIT,
        (),
        Verdict.CORRECT,
    )
    again = row(mode, [WRONG, RIGHT])
    assert (again.purpose, again.verdict, again.completion) == (
        Purpose.RATIONALIZE,
        Verdict.CORRECT,
        RIGHT,
    )
    [first] = again.other_steps
    assert (first.purpose, first.completion) == (Purpose.ELICIT, WRONG)
    assert first.request_key != again.request_key


@pytest.mark.parametrize("text", ["Nothing fits.", "Either (A) or (B).", ""])
def test_no_answer_is_asked_again_too(text: str) -> None:
    chain = follow(asking(mode="elicit-then-rationalize"), [text])
    assert "Correct answer" in last_turn(chain)


def test_without_a_target_nothing_is_shown() -> None:
    unknown = question(target=None)
    assert (
        row(asking(mode="elicit-then-rationalize"), [WRONG], unknown).verdict
        is Verdict.UNSCORED
    )
    with pytest.raises(
        DataError,
        match=r"'q1?' has no target, and template choice_rationalize@1 shows it",
    ):
        follow(asking(mode="rationalize"), [], unknown)


@pytest.mark.parametrize(
    ("mode", "template", "message"),
    [
        ("elicit", "choice_rationalize@1", "shows the target"),
        ("rationalize", "choice_few_shot@1", "hides the target"),
    ],
)
def test_a_template_for_another_mode_is_refused(
    mode: str, template: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        asking(mode=mode, templates=[template])


def test_both_steps_may_have_their_own_template() -> None:
    mode = asking(
        mode="elicit-then-rationalize",
        templates=["choice_zero_shot@1", "choice_rationalize@1"],
    )
    assert row(mode, [RIGHT]).template == "choice_zero_shot@1"
    assert row(mode, [WRONG, WRONG]).template == "choice_rationalize@1"


# -- decoding ----------------------------------------------------------------------------------------------------------


def test_json_is_asked_for_shown_and_read() -> None:
    mode = asking(decode="json")
    request = follow(mode, []).open_step.request  # type: ignore[union-attr]
    assert request.response_format is not None
    schema: Any = request.response_format["json_schema"]
    assert schema["schema"]["properties"]["answer"] == {
        "type": "string",
        "enum": ["A", "B"],
    }
    assert list(schema["schema"]["properties"]) == ["rationale", "answer"]
    assert request.messages[-1].text.endswith(ASK_JSON)
    assert request.messages[2].text.startswith('{"rationale":"')
    found = row(mode, ['{"rationale":"That one fits.","answer":"B"}'])
    assert (found.rationale, found.answer, found.verdict) == (
        "That one fits.",
        "B",
        Verdict.CORRECT,
    )


def test_the_answer_comes_first_where_the_template_says_so() -> None:
    request = follow(
        asking(decode="json", templates=["choice_label_first@1"]), []
    ).open_step.request  # type: ignore[union-attr]
    schema: Any = request.response_format["json_schema"]  # type: ignore[index]
    assert list(schema["schema"]["properties"]) == ["answer", "rationale"]


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (QuestionKind.YES_NO, {"type": "string", "enum": ["yes", "no"]}),
        (QuestionKind.NUMBER, {"type": "number"}),
        (QuestionKind.TEXT, {"type": "string", "minLength": 1}),
    ],
)
def test_every_kind_has_a_schema(kind: QuestionKind, schema: object) -> None:
    target = {"yes_no": "yes", "number": "7", "text": "so"}[kind.value]
    asked = question(kind=kind, choices=(), target=target)
    request = follow(asking(decode="json"), [], asked).open_step.request  # type: ignore[union-attr]
    found: Any = request.response_format["json_schema"]  # type: ignore[index]
    assert found["schema"]["properties"]["answer"] == schema


def test_a_free_rationale_is_followed_by_a_constrained_choice() -> None:
    mode = asking(decode="choice")
    chain = follow(mode, ["That one fits."])
    request = chain.open_step.request  # type: ignore[union-attr]
    assert [message.role for message in request.messages[-2:]] == ["assistant", "user"]
    assert request.messages[-2].content == "That one fits."
    assert (request.sampling.temperature, request.seed) == (0, None)
    found = row(mode, ["That one fits.", '{"answer":"B"}'])
    assert (found.completion, found.answer, found.verdict) == (
        "That one fits.",
        "B",
        Verdict.CORRECT,
    )
    assert [(step.purpose, step.completion) for step in found.other_steps] == [
        (Purpose.CHOOSE, '{"answer":"B"}')
    ]


def test_a_choice_that_contradicts_the_text_is_flagged() -> None:
    found = row(asking(decode="choice"), [WRONG, '{"answer":"B"}'])
    assert (found.answer, found.verdict) == ("B", Verdict.CORRECT)
    assert Flag.CONTRADICTS in found.flags


def test_a_choice_that_was_not_made_is_no_answer_whatever_the_text_says() -> None:
    found = row(asking(decode="choice"), [RIGHT, "well"])
    assert (found.answer, found.verdict) == (None, Verdict.NO_ANSWER)


def test_a_wrong_choice_is_what_shows_the_target() -> None:
    mode = asking(decode="choice", mode="elicit-then-rationalize")
    found = row(
        mode, ["This one.", '{"answer":"A"}', "That one, of course.", '{"answer":"B"}']
    )
    assert (found.purpose, found.verdict, found.completion) == (
        Purpose.RATIONALIZE, Verdict.CORRECT, "That one, of course.",
    )  # fmt: skip
    assert [step.purpose for step in found.other_steps] == [
        Purpose.ELICIT,
        Purpose.CHOOSE,
        Purpose.CHOOSE,
    ]


def test_a_thought_is_not_shown_to_the_one_who_chooses() -> None:
    chain = follow(asking(decode="choice"), ["<think>hm, (A)?</think>That one fits."])
    assert chain.open_step is not None
    assert chain.open_step.request.messages[-2].content == "That one fits."


# -- cut texts ---------------------------------------------------------------------------------------------------------


def test_a_cut_text_is_kept_or_asked_for_once_more() -> None:
    assert row(asking(), ["That one"], finish="length").verdict is Verdict.TRUNCATED
    mode = asking(on_length="longer")
    chain = follow(mode, ["That one"], finish="length")
    assert chain.open_step is not None
    first, second = chain.answered[0].step.request, chain.open_step.request
    assert (first.sampling.max_tokens, second.sampling.max_tokens) == (256, 1024)
    assert (first.messages, first.seed) == (second.messages, second.seed)
    assert first.request_key != second.request_key
    found = row(mode, ["That one", RIGHT], finish="length")
    assert (found.verdict, found.completion) == (Verdict.CORRECT, RIGHT)
    assert [step.finish_reason for step in found.other_steps] == ["length"]


def test_a_text_that_is_cut_again_is_not_asked_for_a_third_time() -> None:
    mode = asking(on_length="longer", longer_tokens=300)
    chain = start_chain(mode, question(), 0)
    for _ in range(2):
        assert chain.open_step is not None
        key = chain.open_step.request.request_key
        chain = extend_chain(
            mode,
            chain,
            Completion(request_key=key, text="That", finish_reason="length"),
        )
    assert chain.open_step is None
    assert to_rationale(chain, PLAIN_GRADING).verdict is Verdict.TRUNCATED


def test_a_constrained_answer_that_is_cut_is_truncated_and_may_be_longer() -> None:
    for tokens, mode in (
        (64, asking(decode="choice")),
        (900, asking(decode="choice", choice_tokens=900)),
    ):
        chain = follow(mode, [RIGHT])
        assert chain.open_step is not None
        assert chain.open_step.request.sampling.max_tokens == tokens
        cut = Completion(
            request_key=chain.open_step.request.request_key,
            text="",
            reasoning="Okay, the letter alone, so",
            finish_reason="length",
        )
        found = to_rationale(extend_chain(mode, chain, cut), PLAIN_GRADING)
        assert (found.answer, found.verdict) == (None, Verdict.TRUNCATED)
    # A default that is written out would change the bytes of existing build.json files.
    assert "choice_tokens" not in asking(decode="choice").config.model_dump()


# -- failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "texts", "purposes", "completion"),
    [
        ({}, [], [], None),
        ({"mode": "elicit-then-rationalize"}, [WRONG], [Purpose.ELICIT], None),
        ({"decode": "choice"}, [RIGHT], [Purpose.CHOOSE], RIGHT),
    ],
)
def test_a_failed_step_leaves_the_chain_unscored_and_loses_no_text(
    settings: dict[str, str],
    texts: list[str],
    purposes: list[Purpose],
    completion: str | None,
) -> None:
    mode = asking(**settings)
    chain = follow(mode, texts)
    assert chain.open_step is not None
    failure = Failure(
        request_key=chain.open_step.request.request_key,
        kind=FailureKind.UNAVAILABLE,
        message="HTTP 503: no\nGPU at 10.0.0.1:80",
    )
    found = to_rationale(extend_chain(mode, chain, failure), PLAIN_GRADING)
    assert found.failure_message == "HTTP 503: no GPU at [address]"
    assert found.notes == (("any reply", "reply 0") if texts else ())
    assert derive_again(mode, found) == found
    assert (found.verdict, found.failure, found.answer) == (
        Verdict.UNSCORED,
        "unavailable",
        None,
    )
    assert [step.purpose for step in found.other_steps] == purposes
    assert found.completion == completion


@pytest.mark.parametrize(
    ("settings", "ref"),
    [
        ({}, "elicit@1"),
        ({"mode": "rationalize", "decode": "json"}, "rationalize+json@1"),
        (
            {"mode": "elicit-then-rationalize", "on_length": "longer"},
            "elicit-then-rationalize+longer@1",
        ),
    ],
)
def test_the_way_of_asking_has_a_name(settings: dict[str, str], ref: str) -> None:
    assert asking(**settings).ref == ref


# -- exemplars by draw -------------------------------------------------------------------------------------------------


def worked(number: int, text: str | None = None) -> tuple[Question, str]:
    source = SourceRef(
        dataset="d", config_name=None, split="train", revision=None, row=number
    )
    text = text or f"How many is {number} and {number}?"
    asked = Question(
        id=str(number), kind=QuestionKind.NUMBER, text=text, choices=(), target=str(2 * number), other_targets=(),
        source=source,
    )  # fmt: skip
    return asked, f"Twice {number} is {2 * number}."


POOL = [worked(number) for number in range(30)]


def drawing(
    seed: int = 0, pool: Sequence[tuple[Question, str]] = POOL
) -> Callable[[Question], list[str]]:
    config = BuildConfig.model_validate(
        {"exemplars": {"split": "train", "count": 3, "seed": seed}}, strict=False
    )
    mode = ChainRules(
        config,
        "t",
        load_purpose_templates(config),
        draw_exemplars(config.exemplars or ExemplarsConfig(split="x"), pool),
    )

    def shown(asked: Question) -> list[str]:
        chain = start_chain(mode, asked, 0)
        assert chain.open_step is not None
        return [
            m.text.splitlines()[0]
            for m in chain.open_step.request.messages
            if m.role == "user"
        ][:-1]

    return shown


def test_exemplars_are_drawn_by_seed_whatever_the_order_of_the_split() -> None:
    asked, _ = worked(99)
    assert drawing()(asked) == drawing(pool=POOL[::-1])(asked)
    assert drawing()(asked) != drawing(seed=1)(asked)
    assert len(set(drawing()(asked))) == 3


def test_a_question_is_never_its_own_exemplar_nor_its_duplicates() -> None:
    shown = drawing()
    for asked, _ in POOL:
        twin, _ = worked(99, f"  {asked.text.upper()} ")
        assert all(asked.text not in text for text in [*shown(asked), *shown(twin)])
        assert len(set(shown(asked))) == 3


def test_repeated_questions_stand_in_the_pool_once() -> None:
    asked, _ = worked(99)
    assert (
        len(
            set(
                drawing(
                    pool=[
                        *POOL[:5],
                        *(worked(n, POOL[0][0].text) for n in range(50, 90)),
                    ]
                )(asked)
            )
        )
        == 3
    )


def test_a_pool_that_is_too_small_says_so() -> None:
    with pytest.raises(ConfigError, match="2 of kind number in split 'train'"):
        drawing(pool=POOL[:2])(worked(99)[0])


def test_a_template_without_exemplars_takes_none() -> None:
    config = BuildConfig.model_validate(
        {"exemplars": {"split": "train"}, "templates": ["number_zero_shot@1"]},
        strict=False,
    )
    mode = ChainRules(
        config,
        "t",
        load_purpose_templates(config),
        draw_exemplars(ExemplarsConfig(split="train"), POOL),
    )
    with pytest.raises(ConfigError, match="number_zero_shot@1 has no exemplars"):
        start_chain(mode, worked(99)[0], 0)
