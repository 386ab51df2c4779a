"""Greedy decoding against transformers', stops, and forced separators."""

import math
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from cotbuild.prompts.student import question_digest
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import Choice, Question, QuestionKind, SourceRef
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant_rows import (
    TrainingRow,
)
from cotbuild.student.evaluation.decode import (
    DecodedText,
    decode_prompts,
    find_stop,
    tokenize_prompt,
)
from cotbuild.student.evaluation.evaluate import (
    MAX_FREE_TOKENS,
    check_prompts_fit,
    compose_before_label,
    evaluate_questions,
)
from cotbuild.student.evaluation.metrics import compute_metrics
from cotbuild.student.evaluation.plan import (
    DEFAULT_PROSE_TOKENS,
    MIN_PROSE_TOKENS,
    MIN_RATIONALE_TOKENS,
    EvaluationItem,
    EvaluationPlan,
    ProseLimits,
    make_evaluation_plan,
    make_prose_limits,
)
from cotbuild.student.evaluation.proportions import count_proportion
from cotbuild.student.model import Student
from tests.student.evaluation.test_options import (
    BOTH,
    EXPLAINED,
    LABEL_ONLY,
    POST,
    PRE,
    PROMPTS,
)
from tests.support.tiny import FAMILIES, shared_student, tiny_student

MANY = 10_000


def ordered(
    student: Student, stops: Sequence[str], tokens: int, budget: int
) -> list[DecodedText]:
    prompts = [tokenize_prompt(student, prompt) for prompt in PROMPTS]
    found = dict(
        decode_prompts(
            student,
            prompts,
            [tokens] * len(prompts),
            [stops] * len(prompts),
            budget,
        )
    )
    return [found[i] for i in range(len(prompts))]


def reference(student: Student, prompt: str, tokens: int) -> list[int]:
    """transformers' own greedy decoding, of one prompt."""
    ids = torch.tensor([tokenize_prompt(student, prompt)])
    how = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=tokens,
        do_sample=False,
        pad_token_id=student.pad_id,
        eos_token_id=student.tokenizer.eos_token_id,
    )
    out: Any = student.model.generate(
        ids, attention_mask=torch.ones_like(ids), generation_config=how
    )  # type: ignore[operator]
    return [int(token) for token in out[0, ids.shape[1] :]]


@pytest.mark.parametrize("family", FAMILIES)
def test_decoding_equals_transformers_in_any_batch(family: str) -> None:
    student = shared_student(family)
    together, alone = (
        ordered(student, ["never"], 24, MANY),
        ordered(student, ["never"], 24, 1),
    )
    assert together == alone
    for prompt, found in zip(PROMPTS, together, strict=True):
        ids = reference(student, prompt, 24)
        assert found.tokens == len(ids)
        assert found.text == student.tokenizer.decode(ids, skip_special_tokens=True)
        assert not found.stopped
        assert found.cut == (ids[-1] != student.tokenizer.eos_token_id)


def steered(family: str, says: str) -> Student:
    """A student that says the same behind any prompt, then ends."""
    student = tiny_student(family)
    tokenizer, model = student.tokenizer, student.model
    ids = [*tokenizer.encode(says, add_special_tokens=False), tokenizer.eos_token_id]
    succession = dict(pairwise(ids))
    assert len(succession) == len(ids) - 1, (
        "each token once, so that the next one is known"
    )
    for end in ("\nAnswer:", "\nReasoning:"):  # prompts end so; behind them it begins
        succession.pop(tokenizer.encode(end)[-1], None)

    def forced(module: Any, args: Any, kwargs: Any, out: Any) -> Any:  # noqa: ARG001
        read = kwargs["input_ids"][:, -out.logits.shape[1] :]
        nexts = [[succession.get(int(token), ids[0]) for token in row] for row in read]
        out.logits = (
            torch.nn.functional.one_hot(torch.tensor(nexts), len(tokenizer)).float()
            * 50
        )
        return out

    model.register_forward_hook(forced, with_kwargs=True)
    return student


def test_a_finished_text_is_run_on_beyond_the_context() -> None:
    student = shared_student("gpt2")
    short = tokenize_prompt(student, PROMPTS[0])
    # Of nine texts one is finished: too few for it to be dropped.
    long = (short * 40)[: student.model.config.n_positions - 2]
    prompts, limits = [long] + [short] * 8, [3] + [30] * 8
    found = dict(decode_prompts(student, prompts, limits, [["never"]] * 9, 10 * MANY))
    for i in (0, 1):
        alone = decode_prompts(
            student, [prompts[i]], [limits[i]], [["never"]], 10 * MANY
        )
        assert dict(alone) == {0: found[i]}


def spoil(student: Student, value: float) -> None:
    """Set a logit of the second token that is generated, and of all later ones."""
    num_passes = 0

    def forced(_module: Any, _args: Any, out: Any) -> Any:
        nonlocal num_passes
        num_passes += 1
        if num_passes > 1:
            out.logits[:, :, 7] = value
        return out

    student.model.register_forward_hook(forced)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("dtype", "remedy"),
    [
        (torch.float32, "Its weights are damaged: train it again with a lower --lr."),
        (
            torch.bfloat16,
            "Its weights are damaged, or too large for bfloat16: evaluate it in float32, "
            "or train it again with a lower --lr.",
        ),
    ],
)
def test_logits_of_any_step_must_be_finite(
    dtype: torch.dtype, remedy: str, value: float
) -> None:
    student = tiny_student("phi")
    torch.nn.Module.to(student.model, dtype)
    prompts = [tokenize_prompt(student, PROMPTS[0])]
    spoil(student, value)
    assert dict(decode_prompts(student, prompts, [1], [["never"]], MANY))
    with pytest.raises(DataError) as caught:
        list(decode_prompts(student, prompts, [8], [["never"]], MANY))
    assert str(caught.value) == (
        "student 'tiny:phi:0': its logits are infinite or not numbers. " + remedy
    )


@pytest.mark.parametrize(
    ("says", "stops", "expected"),
    [
        (" wood\nAnswer:", ["\nAnswer:"], (" wood", True)),
        ("\nAnswer:", ["\nAnswer:"], ("", True)),
        (" wood", ["\nAnswer:"], (" wood", False)),
        (" wood because iron", ["\n", " because"], (" wood", True)),
        (" because iron", ["\n", " because"], (" because iron", False)),
    ],
)
def test_decoding_ends_at_a_stop_or_the_end_of_text(
    says: str, stops: list[str], expected: tuple[str, bool]
) -> None:
    student = steered("gpt2", says)
    for found in ordered(student, stops, 50, MANY):
        assert (found.text, found.stopped) == expected
        heard = found.text + (
            stops[-1] if found.stopped else student.tokenizer.eos_token
        )
        assert found.tokens == len(student.tokenizer.encode(heard))


def test_each_prompt_has_stops_of_its_own() -> None:
    student = steered("gpt2", " wood\nis iron")
    prompts = [tokenize_prompt(student, PROMPTS[0])] * 2
    found = dict(decode_prompts(student, prompts, [50, 50], [["\n"], []], MANY))
    assert [found[i].text for i in range(2)] == [" wood", " wood\nis iron"]
    assert [found[i].stopped for i in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("text", "stops", "place"),
    [
        ("wood\nAnswer: B", ["\nAnswer:"], 4),
        ("\nAnswer: B", ["\nAnswer:"], 0),
        (" because it is", ["\n", " because"], None),
        (" ice because it is", ["\n", " because"], 4),
        (" ice\nas because", ["\n", " because"], 4),
        ("nothing", ["\n"], None),
        ("", ["\n"], None),
    ],
)
def test_find_stop(text: str, stops: list[str], place: int | None) -> None:
    assert find_stop(text, stops) == place


SOURCE = SourceRef(dataset="tiny", config_name=None, split="test", revision=None, row=0)
TEXTS = ("a wooden boat", "an iron nail", "a stone")


def choice_item(number: int = 0, target: str | None = "A") -> EvaluationItem:
    question = Question(
        id=f"q{number}",
        kind=QuestionKind.CHOICE,
        text=f"Which of these {number} floats?",
        choices=tuple(
            Choice(label=label, text=text)
            for label, text in zip("ABC", TEXTS, strict=True)
        ),
        target=target,
        other_targets=(),
        source=SOURCE,
    )
    return EvaluationItem(question, row_of(question, TEXTS))


def plain_item(kind: QuestionKind, target: str | None) -> EvaluationItem:
    question = Question(
        id=kind.value,
        kind=kind,
        text="How many?",
        choices=(),
        target=target,
        other_targets=(),
        source=SOURCE,
    )
    return EvaluationItem(question, row_of(question, ()))


def row_of(question: Question, choices: tuple[str, ...]) -> TrainingRow:
    return TrainingRow(
        question_id=question.id,
        sample_index=0,
        task=None,
        prompt=f"Question: {question.text}\nReasoning:",
        completion="",
        choices=choices,
        target=question.target,
        label_start=None,
        label_end=None,
        rationale_start=None,
        rationale_end=None,
    )


@pytest.mark.parametrize(
    ("says", "forced", "rationale"),
    [
        (" wood\nAnswer:", False, "wood"),
        (" wood", True, "wood"),
        ("\nAnswer:", False, ""),
        (" iron sinks", True, "iron sinks"),
    ],
)
def test_a_missing_separator_is_added_and_marked_as_forced(
    says: str, forced: bool, rationale: str
) -> None:
    student = steered("llama", says)
    ((_, found),) = evaluate_questions(
        student, [choice_item()], make_evaluation_plan(PRE, 5, MANY)
    )
    assert (found.forced, found.rationale) == (forced, rationale)
    assert found.rationale_tokens > 0


def test_the_rationale_limit_is_that_of_training_or_64_tokens() -> None:
    assert (
        make_evaluation_plan(PRE, 3, MANY).rationale_tokens
        == MIN_RATIONALE_TOKENS
        == 64
    )
    assert make_evaluation_plan(PRE, 300, MANY).rationale_tokens == 300
    for layout in (LABEL_ONLY, POST, EXPLAINED, BOTH):
        assert make_evaluation_plan(layout, 300, MANY).rationale_tokens == 0


def test_a_student_that_says_no_label_writes_its_rationale() -> None:
    student = steered("gpt2", " wood\nis iron")
    layout = Layout(order=("rationale",), opening=" ", joints=())
    plan = make_evaluation_plan(layout, 0, MANY)
    [(_, result)] = evaluate_questions(student, [choice_item()], plan)
    assert result.rationale == "wood\nis iron"
    assert (result.said, result.answer, result.correct) == ("", None, None)
    assert (result.options, result.forced, result.answer_tokens) == ((), False, 0)


def test_the_text_before_a_free_answer_is_that_of_training() -> None:
    assert compose_before_label(POST, "ignored") == ""
    assert compose_before_label(PRE, "Wood floats.") == " Wood floats.\nAnswer:"


@pytest.mark.parametrize(
    ("item", "says", "answer", "correct"),
    [
        (choice_item(), " a wooden boat", "A", True),
        (plain_item(QuestionKind.YES_NO, "yes"), " yes", "yes", True),
        (plain_item(QuestionKind.YES_NO, "yes"), " wood", None, False),
        (plain_item(QuestionKind.NUMBER, "12"), " 12", "12", True),
        (plain_item(QuestionKind.NUMBER, "12"), " iron", None, False),
        (plain_item(QuestionKind.TEXT, "iron"), " iron", "iron", True),
        (plain_item(QuestionKind.TEXT, "iron"), " wood", "wood", False),
        (plain_item(QuestionKind.TEXT, None), " wood", "wood", None),
    ],
)
def test_free_answers_by_kind(
    item: EvaluationItem, says: str, answer: str | None, correct: bool | None
) -> None:
    student = steered("qwen2", says)
    ((_, found),) = evaluate_questions(
        student, [item], make_evaluation_plan(LABEL_ONLY, 0, MANY)
    )
    assert (found.answer, found.correct_free) == (answer, correct)
    assert found.answer_tokens > 0
    has_options = item.question.kind in (QuestionKind.CHOICE, QuestionKind.YES_NO)
    assert bool(found.options) == has_options
    if not has_options:
        assert found.correct == found.correct_free
        assert (found.choice, found.choice_normalised, found.correct_normalised) == (
            None,
            None,
            None,
        )


@pytest.mark.parametrize(
    ("layout", "says", "multiline", "answer"),
    [
        (LABEL_ONLY, " wood\nis iron", False, "wood"),
        (LABEL_ONLY, " wood\nis iron", True, "wood\nis iron"),
        (POST, " wood iron\nReasoning: not", True, "wood iron"),
        (POST, " wood iron\nReasoning: not", False, "wood iron"),
        (EXPLAINED, " wood\nis iron because not", True, "wood\nis iron"),
        (LABEL_ONLY, "", False, None),
    ],
)
def test_an_answer_in_prose_is_cut_where_the_label_ends(
    layout: Layout, says: str, multiline: bool, answer: str | None
) -> None:
    item = plain_item(QuestionKind.PROSE, "wood and iron")
    plan = make_evaluation_plan(
        layout, 0, MANY, prose=ProseLimits(tokens=40, multiline=multiline)
    )
    ((_, found),) = evaluate_questions(steered("qwen2", says), [item], plan)
    assert (found.answer, found.said, found.cut) == (answer, answer or "", False)
    assert (found.correct, found.correct_free, found.options) == (None, None, ())


def test_an_answer_in_prose_has_the_limit_of_the_plan() -> None:
    student = shared_student("gpt2")
    prose, text = (
        plain_item(kind, "iron") for kind in (QuestionKind.PROSE, QuestionKind.TEXT)
    )
    plan = make_evaluation_plan(
        LABEL_ONLY, 0, MANY, prose=ProseLimits(tokens=70, multiline=True)
    )
    found = dict(evaluate_questions(student, [prose, text], plan))
    assert (found[0].answer_tokens, found[0].cut) == (71, True)
    metrics = compute_metrics([found[0], found[1]], label_first=True)
    assert metrics.cut == count_proportion(1, 1)
    assert "cut" not in compute_metrics([found[1]], label_first=True).model_dump()
    assert found[1].answer_tokens <= MAX_FREE_TOKENS + 1


@pytest.mark.parametrize(
    ("label_p99", "multiline", "target", "limits"),
    [
        (None, None, "one line\n", ProseLimits(DEFAULT_PROSE_TOKENS, False)),
        (None, None, "two\nlines", ProseLimits(DEFAULT_PROSE_TOKENS, True)),
        (3, False, "two\nlines", ProseLimits(MIN_PROSE_TOKENS, False)),
        (300, True, "one line", ProseLimits(300, True)),
    ],
)
def test_limits_of_prose_follow_the_labels_of_training(
    label_p99: int | None, multiline: bool | None, target: str, limits: ProseLimits
) -> None:
    questions = [
        plain_item(QuestionKind.PROSE, target).question,
        plain_item(QuestionKind.TEXT, "a\nb").question,
        plain_item(QuestionKind.PROSE, None).question,
    ]
    assert make_prose_limits(questions, label_p99, multiline) == limits


@pytest.mark.parametrize("layout", [LABEL_ONLY, POST, PRE])
def test_results_do_not_depend_on_the_batch(layout: Layout) -> None:
    student = shared_student("gpt2")
    items = [
        *(choice_item(n, "ABC"[n % 3]) for n in range(6)),
        plain_item(QuestionKind.NUMBER, "3"),
    ]
    together = dict(
        evaluate_questions(student, items, make_evaluation_plan(layout, 0, MANY))
    )
    alone = dict(evaluate_questions(student, items, make_evaluation_plan(layout, 0, 1)))
    for i, item in enumerate(items):
        one, other = together[i], alone[i]
        assert one.question_id == item.question.id
        assert (one.choice, one.said, one.rationale) == (
            other.choice,
            other.said,
            other.rationale,
        )
        for a, b in zip(one.options, other.options, strict=True):
            assert a.log_prob == pytest.approx(b.log_prob, abs=1e-4)


def test_done_questions_are_skipped_and_trained_ones_are_marked() -> None:
    items = [choice_item(n) for n in range(4)]
    plan = make_evaluation_plan(
        LABEL_ONLY, 0, MANY, seen={question_digest("which of these 2  FLOATS?")}
    )
    found = dict(evaluate_questions(shared_student("phi"), items, plan, done={0, 3}))
    assert {place: result.seen for place, result in found.items()} == {
        1: False,
        2: True,
    }


def test_a_question_too_long_for_the_student_is_rejected_before_anything_runs() -> None:
    item = choice_item()
    long = item._replace(row=item.row.model_copy(update={"prompt": "wood " * 600}))
    with pytest.raises(
        DataError, match=r"question 'q0': up to \d+ tokens .* at most 512"
    ):
        next(
            evaluate_questions(
                shared_student("gpt2"),
                [choice_item(1), long],
                make_evaluation_plan(PRE, 0, MANY),
            )
        )


def saying(token: str) -> Student:
    """A student that says one token without end."""
    student = tiny_student("gpt2")
    token_id = student.tokenizer.convert_tokens_to_ids(token)

    def forced(_module: Any, _args: Any, out: Any) -> Any:
        out.logits[:, :, token_id] = 50
        return out

    student.model.register_forward_hook(forced)
    return student


def lengthened(
    student: Student, item: EvaluationItem, plan: EvaluationPlan
) -> EvaluationItem:
    """The item with the longest prompt that the check of prompts lets pass."""
    for number in range(512, 0, -1):
        row = item.row.model_copy(update={"prompt": "Q" * number + item.prompt})
        longer = item._replace(row=row)
        with suppress(DataError):
            check_prompts_fit(student, [longer], plan)
            return longer
    raise AssertionError("no prompt fits")


@pytest.mark.parametrize("layout", [PRE, BOTH, POST, LABEL_ONLY, EXPLAINED])
@pytest.mark.parametrize(
    "item",
    [
        choice_item(),
        plain_item(QuestionKind.NUMBER, "3"),
        plain_item(QuestionKind.YES_NO, "yes"),
    ],
)
def test_a_prompt_that_just_fits_is_run(layout: Layout, item: EvaluationItem) -> None:
    student = saying("w")
    plan = make_evaluation_plan(layout, 0, MANY)
    [(_, found)] = evaluate_questions(student, [lengthened(student, item, plan)], plan)
    assert found.rationale_tokens == plan.rationale_tokens
    assert found.answer_tokens > 1


def test_the_longest_prompt_of_a_student_that_reasons_first() -> None:
    plan = make_evaluation_plan(PRE, 0, MANY)
    student = saying("w")
    tokenizer = student.tokenizer
    item = lengthened(student, plain_item(QuestionKind.NUMBER, "3"), plan)
    before = tokenizer.encode(f" {'w' * plan.rationale_tokens}\nAnswer:")
    length = len(tokenize_prompt(student, item.prompt))
    # Two tokens are counted that the texts together do not have.
    assert length + len(before) + MAX_FREE_TOKENS + len("\n") == 510


def test_a_rationale_that_is_read_as_more_tokens_than_were_said_is_checked() -> None:
    student = saying("\u00c3")  # half a letter, whose text has three bytes
    plan = make_evaluation_plan(PRE, 0, MANY)
    with pytest.raises(
        DataError,
        match=r"^question 'q0': \d+ tokens with its rationale and answer, but the "
        r"student reads at most 512\. Use a student with a longer context",
    ):
        list(
            evaluate_questions(
                student, [lengthened(student, choice_item(), plan)], plan
            )
        )
