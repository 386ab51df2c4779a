"""Option scores against each text alone and a computation by hand."""

import math
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.schemas.training import Layout
from cotbuild.student.evaluation.options import (
    TokenizedOption,
    count_shared_tokens,
    score_option_batch,
    score_options,
    tokenize_options,
)
from cotbuild.student.evaluation.prefix import batch_by_tokens
from cotbuild.student.model import Student
from tests.support.tiny import (
    FAMILIES,
    merging_tokenizer,
    shared_student,
    tiny_model,
)

LABEL_ONLY = Layout(order=("label",), opening=" ", joints=())
POST = Layout(order=("label", "rationale"), opening=" ", joints=("\nReasoning: ",))
PRE = Layout(order=("rationale", "label"), opening=" ", joints=("\nAnswer: ",))
EXPLAINED = Layout(order=("label", "rationale"), opening=" ", joints=(" because ",))
BOTH = Layout(
    order=("label", "rationale", "label"),
    opening=" ",
    joints=("\nReasoning: ", "\nAnswer: "),
)
LAYOUTS = {
    "label_only": LABEL_ONLY,
    "post": POST,
    "pre": PRE,
    "explained": EXPLAINED,
    "both": BOTH,
}

PROMPTS = (
    "Question: Which of these floats on water?\nOptions:\n- a wooden boat\n- an iron nail\n- a stone\nAnswer:",
    "Question: ½ 東京 🙂?\nAnswer:",
    "Question: Why?"
    + " It is a long story of iron, wood and stone." * 4
    + "\nReasoning:",
)
OPTIONS = (
    ("a wooden boat", "a wooden", "an iron nail", "a stone"),
    ("東京", "½", "B"),
    ("yes", "no"),
)


def asked(student: Student, layout: Layout) -> list[list[TokenizedOption]]:
    rationale = "Wood is lighter than water."
    return [
        tokenize_options(student.tokenizer, layout, prompt, options, rationale)
        for prompt, options in zip(PROMPTS, OPTIONS, strict=True)
    ]


def plain(
    student: Student, option: TokenizedOption, options: list[TokenizedOption]
) -> tuple[float, float]:
    """log p with and without the terminator, of one text run alone, with neither
    padding nor cache.

    Of all that is not the same in every option.
    """
    begin = next(
        i
        for i in range(option.start + 1)
        if i == min(o.start for o in options) or _part(options, i)
    )
    with torch.no_grad():
        logits = (
            student.model(input_ids=torch.tensor([option.ids_T]), use_cache=False)
            .logits[0]
            .double()
        )
    logp = logits.log_softmax(-1)
    each = [
        float(logp[i - 1, option.ids_T[i]]) for i in range(begin, len(option.ids_T))
    ]
    return sum(each), sum(each[:-1])


def _part(options: list[TokenizedOption], i: int) -> bool:
    return len({option.ids_T[i] for option in options}) > 1


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_equal_those_of_each_text_alone(family: str, layout: str) -> None:
    student = shared_student(family)
    questions = asked(student, LAYOUTS[layout])
    for scores, options in zip(
        score_option_batch(student, questions), questions, strict=True
    ):
        for score, option in zip(scores, options, strict=True):
            assert (score.log_prob, score.label_log_prob) == pytest.approx(
                plain(student, option, options), abs=1e-4
            )


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_do_not_depend_on_padding_or_batch(family: str) -> None:
    student = shared_student(family)
    questions = asked(student, PRE)
    together = dict(score_options(student, questions, 10_000))
    alone = dict(score_options(student, questions, 1))
    assert together.keys() == alone.keys() == {0, 1, 2}
    for i in together:
        for one, other in zip(together[i], alone[i], strict=True):
            assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_label_and_the_token_that_ends_it_are_scored(
    family: str, layout: str
) -> None:
    student = shared_student(family)
    tokenizer = student.tokenizer
    ends = {
        "label_only": tokenizer.eos_token,
        "pre": tokenizer.eos_token,
        "explained": " because",
    }
    for options, texts in zip(asked(student, LAYOUTS[layout]), OPTIONS, strict=True):
        for option, text in zip(options, texts, strict=True):
            assert (
                str(tokenizer.decode(option.ids_T[option.start : -1])).removeprefix(" ")
                == text
            )
            end = tokenizer.decode(option.ids_T[-1:])
            expected = ends.get(layout, "\n")
            assert expected.startswith(end), "one token, and the terminator's first"
            assert option.chars == len(text)


def test_scores_equal_a_computation_from_known_logits() -> None:
    """With all weights 0 every token has the same probability, so that a score is a
    count of tokens.
    """
    student = shared_student("gpt2")
    flat = type(student.model)(student.model.config)
    flat.eval()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for weights in flat.parameters():
            weights.zero_()
    known = Student(flat, student.tokenizer, "flat")
    each = -math.log(flat.config.vocab_size)
    for scores, options in zip(
        score_option_batch(known, asked(known, POST)), asked(known, POST), strict=True
    ):
        first = min(option.start for option in options)
        for score, option in zip(scores, options, strict=True):
            assert score.tokens == option.tokens
            before = option.start - first  # a space that is a token of its own
            assert score.label_log_prob == pytest.approx(
                (before + option.tokens) * each, rel=1e-6
            )
            assert score.log_prob == pytest.approx(
                (before + option.tokens + 1) * each, rel=1e-6
            )


@pytest.mark.parametrize(
    ("ids", "starts", "shared"),
    [
        ([[1, 2, 3, 4], [1, 2, 5, 6]], [2, 2], 2),
        (
            [[1, 2, 3, 4], [1, 2, 3, 6]],
            [2, 2],
            2,
        ),  # a label's first token is never shared
        (
            [[1, 9, 3, 4], [1, 2, 5, 6]],
            [2, 2],
            1,
        ),  # the last token of the prompt goes with the option
        ([[1, 2, 3, 4]], [3], 3),
    ],
)
def test_only_tokens_common_to_all_options_are_shared(
    ids: list[list[int]], starts: list[int], shared: int
) -> None:
    assert (
        count_shared_tokens(
            [
                TokenizedOption(row, start, 1)
                for row, start in zip(ids, starts, strict=True)
            ]
        )
        == shared
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_space_token_before_a_label_is_part_of_the_label(
    family: str,
) -> None:
    """In the tiny tokenizers it is one before "neither", as in SmolLM2 before a digit;
    "iron" has it in its first.
    """
    tokenizer = shared_student(family).tokenizer
    for option in tokenize_options(
        tokenizer, PRE, PROMPTS[0], ["neither", "an iron nail"], "Wood floats."
    ):
        said = tokenizer.decode(option.ids_T[option.start : -1])
        assert said in (" neither", " an iron nail")
        assert str(tokenizer.decode(option.ids_T[: option.start])).endswith("Answer:")


def test_options_that_change_the_tokens_before_them_are_scored() -> None:
    """A made-up cut: the options share the first 3 tokens alone, though the labels
    begin at the 6th.
    """
    student, chance = shared_student("llama"), random.Random(0)
    common = [chance.randrange(5, 300) for _ in range(3)]
    options = [
        TokenizedOption(common + [chance.randrange(5, 300) for _ in range(3 + n)], 5, 4)
        for n in (1, 2, 5)
    ]
    for score, option in zip(
        score_option_batch(student, [options])[0], options, strict=True
    ):
        assert (score.log_prob, score.label_log_prob) == pytest.approx(
            plain(student, option, options), abs=1e-4
        )


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 60)), max_size=30),
    st.integers(1, 300),
)
def test_batches_contain_each_item_once_within_the_budget(
    sizes: list[tuple[int, int]], budget: int
) -> None:
    found = list(batch_by_tokens(sizes, budget))
    assert sorted(i for batch in found for i in batch) == list(range(len(sizes)))
    for batch in found:
        held = sum(sizes[i][0] for i in batch) * max(sizes[i][1] for i in batch)
        assert held <= budget or len(batch) == 1


def test_all_options_are_scored_up_to_the_end_of_their_line() -> None:
    """Also where one token has the full stop of an option and the end of its line."""
    tokenizer = merging_tokenizer()
    model = tiny_model("llama", tokenizer)
    student = Student(model, tokenizer, "tiny")
    options = tokenize_options(
        tokenizer, POST, "Where?", ["the U.S.", "the U.S"], "It is."
    )
    for option in options:
        assert str(tokenizer.decode(option.ids_T)).endswith("\n")
    merged, plain_end = options
    assert tokenizer.decode(merged.ids_T[merged.start :][: merged.tokens]) == (
        " the U.S.\n"
    )
    assert tokenizer.decode(plain_end.ids_T[plain_end.start :][: plain_end.tokens]) == (
        " the U.S"
    )
    [[of_merged, of_plain]] = score_option_batch(student, [options])
    assert of_merged.label_log_prob == of_merged.log_prob
    assert of_plain.label_log_prob > of_plain.log_prob
