"""Integrated Gradients equal a plain computation that runs everything every time."""

import numpy as np
import pytest
import torch
from torch import Tensor

from cotbuild.schemas.question import Choice, Question, QuestionKind, SourceRef
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant_rows import (
    TrainingRow,
)
from cotbuild.student.attribution.contrast import AttributionCase, make_case
from cotbuild.student.attribution.gradients import embed_path_ends, integrated_gradients
from cotbuild.student.model import Student
from tests.support.tiny import FAMILIES, shared_student, tiny_tokenizer

RATIONALE = "Wood is lighter than water, so the boat floats."
LAYOUT = Layout(order=("rationale", "label"), opening=" ", joints=("\nAnswer: ",))
OPTIONS = ("an iron nail", "a wooden boat", "a stone")


def row_of(
    rationale: str = RATIONALE,
    label: str = OPTIONS[1],
    choices: tuple[str, ...] = OPTIONS,
) -> TrainingRow:
    completion = f" {rationale}\nAnswer: {label}"
    at = len(completion) - len(label)
    return TrainingRow(
        question_id="q",
        sample_index=0,
        task=None,
        prompt="Question: Which of these floats on water?\nOptions:\n- a wooden boat\n- a stone\nReasoning:",
        completion=completion,
        choices=choices,
        target="B",
        label_start=at,
        label_end=len(completion),
        rationale_start=1,
        rationale_end=1 + len(rationale),
    )


def plain_f(student: Student, case: AttributionCase, middle_M_D: Tensor) -> Tensor:
    """f at one point of the path: every option's whole text in a pass of its own,
    nothing kept.
    """
    embed = student.model.get_input_embeddings()
    prefix, said = embed(torch.tensor(case.prefix_ids_P)), []
    for ids in case.options:
        whole_1_T_D = torch.cat([prefix, middle_M_D, embed(torch.tensor(ids))])[None]
        logp_T_V = (
            student.model(inputs_embeds=whole_1_T_D, use_cache=False)
            .logits[0]
            .log_softmax(-1)
        )
        first = len(case.prefix_ids_P) + len(case.middle_ids_M)
        logp = [logp_T_V[first - 1 + i, token] for i, token in enumerate(ids)]
        said.append(torch.stack(logp).sum())
    return said[0] - torch.stack(said[1:]).mean() if said[1:] else said[0]


def riemann(
    student: Student, case: AttributionCase, points: list[tuple[float, float]]
) -> Tensor:
    """∑ weight × gradient at each point of the path, times the way; a score a token."""
    end, begin = (one[0] for one in embed_path_ends(student, case))
    total = torch.zeros_like(end)
    for alpha, weight in points:
        at = (begin + alpha * (end - begin)).requires_grad_()
        total += weight * torch.autograd.grad(plain_f(student, case, at), at)[0]
    return (total * (end - begin)).sum(-1)


def gauss_legendre(steps: int) -> list[tuple[float, float]]:
    points, weights = np.polynomial.legendre.leggauss(steps)
    return [
        ((1 + float(point)) / 2, float(weight) / 2)
        for point, weight in zip(points, weights, strict=True)
    ]


def midpoints(steps: int) -> list[tuple[float, float]]:
    return [((i + 0.5) / steps, 1 / steps) for i in range(steps)]


def case_for(
    family: str, row: TrainingRow, kind: QuestionKind = QuestionKind.CHOICE
) -> tuple[Student, AttributionCase]:
    student = shared_student(family)
    return student, make_case(student.tokenizer, LAYOUT, row, kind)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batch_tokens", [1, 90, 10_000])
def test_scores_equal_the_plain_computation_however_steps_are_batched(
    family: str, batch_tokens: int
) -> None:
    student, case = case_for(family, row_of())
    found = integrated_gradients(student, case, 8, batch_tokens)
    expected = riemann(student, case, gauss_legendre(8))
    assert expected.abs().max() > 0.01
    assert found.scores_M == pytest.approx(expected.tolist(), abs=1e-5)
    end, begin = embed_path_ends(student, case)
    with torch.no_grad():
        assert found.f_input == pytest.approx(
            float(plain_f(student, case, end[0])), abs=1e-4
        )
        assert found.f_baseline == pytest.approx(
            float(plain_f(student, case, begin[0])), abs=1e-4
        )


@pytest.mark.parametrize(
    "family", ["gpt2", pytest.param("phi", marks=pytest.mark.slow)]
)
def test_another_quadrature_with_many_steps_gives_the_same_scores(family: str) -> None:
    student, case = case_for(family, row_of())
    found = integrated_gradients(student, case, 64, 10_000)
    assert found.scores_M == pytest.approx(
        riemann(student, case, midpoints(100)).tolist(), abs=2e-3
    )


@pytest.mark.parametrize(
    ("family", "share"),
    [("gpt2", 0.001), ("llama", 0.01), ("phi", 0.001), ("qwen2", 0.001)],
)
def test_scores_of_many_steps_add_up_to_the_change_of_f(
    family: str, share: float
) -> None:
    student, case = case_for(family, row_of())
    found = integrated_gradients(student, case, 64, 10_000)
    assert found.completeness_error is not None
    assert found.completeness_error < share
    assert sum(found.scores_M) == pytest.approx(
        found.f_input - found.f_baseline, rel=share
    )


@pytest.mark.parametrize(
    ("kind", "label"),
    [(QuestionKind.NUMBER, "12"), (QuestionKind.PROSE, "Wood floats.\nA stone sinks.")],
)
def test_without_other_options_it_is_the_log_probability_of_the_label_alone(
    kind: QuestionKind, label: str
) -> None:
    student, case = case_for("gpt2", row_of(label=label, choices=()), kind)
    assert len(case.options) == 1
    found = integrated_gradients(student, case, 64, 10_000)
    assert found.f_input < 0
    assert found.scores_M == pytest.approx(
        riemann(student, case, gauss_legendre(64)).tolist(), abs=1e-5
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_space_before_an_option_may_be_a_token_of_its_own(family: str) -> None:
    student, case = case_for(
        family, row_of(label="a stone", choices=("a stone", "neither"))
    )
    space = student.tokenizer.encode(" ", add_special_tokens=False)
    assert [ids[: len(space)] == space for ids in case.options] == [False, True]
    found = integrated_gradients(student, case, 8, 10_000)
    assert found.scores_M == pytest.approx(
        riemann(student, case, gauss_legendre(8)).tolist(), abs=1e-5
    )


def test_yes_is_contrasted_with_no() -> None:
    _, case = case_for("gpt2", row_of(label="no", choices=()), QuestionKind.YES_NO)
    assert len(case.options) == 2


def test_options_of_the_same_text_count_once() -> None:
    _, case = case_for("gpt2", row_of(choices=(*OPTIONS, OPTIONS[0], OPTIONS[1])))
    assert len(case.options) == 3


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_after_a_label_get_zero_scores(family: str) -> None:
    """Why a label-first run is refused: with the label's log probability read before
    the rationale, all is zero.
    """
    student, case = case_for(family, row_of())
    label = case.options[0]
    first = student.model.get_input_embeddings()(
        torch.tensor([*case.prefix_ids_P, *label])
    )
    end, begin = (one[0] for one in embed_path_ends(student, case))
    for alpha in (0.0, 0.3, 1.0):
        at = (begin + alpha * (end - begin)).requires_grad_()
        logits = student.model(
            inputs_embeds=torch.cat([first, at])[None], use_cache=False
        ).logits[0]
        said = [
            logits[len(case.prefix_ids_P) - 1 + i].log_softmax(-1)[token]
            for i, token in enumerate(label)
        ]
        assert torch.autograd.grad(sum(said, torch.tensor(0.0)), at)[0].abs().max() == 0
        assert torch.autograd.grad(plain_f(student, case, at), at)[0].abs().max() > 0


QUESTION = Question(
    id="q",
    kind=QuestionKind.CHOICE,
    text="Which of these floats on water?",
    choices=tuple(
        Choice(label=label, text=text)
        for label, text in zip("ABC", OPTIONS, strict=True)
    ),
    target="B",
    other_targets=(),
    source=SourceRef(
        dataset="-", config_name=None, split="train", revision=None, row=0
    ),
)
TEXTS = [
    RATIONALE,
    "A wooden boat floats.\nAn iron nail does not.",
    "½ 東京 🙂 a stone",
    "one",
    "  two spaces  inside",
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rationale", TEXTS)
def test_spans_cover_the_rationale_and_mark_options(
    family: str, rationale: str
) -> None:
    _, case = case_for(family, row_of(rationale))
    spans = case.make_spans([1.0] * len(case.middle_ids_M), QUESTION, rationale)
    covered = {at for span in spans for at in range(span.start, span.end)}
    assert (
        {at for at, char in enumerate(rationale) if not char.isspace()}
        <= covered
        <= set(range(len(rationale)))
    )
    named = {at for span in spans if span.option for at in range(span.start, span.end)}
    for option in OPTIONS:
        at = rationale.lower().find(option)
        if at >= 0:
            assert set(range(at, at + len(option))) <= named
    if rationale == RATIONALE:
        assert not named
    assert sum(1 for span in case.spans_M if span is None) > 0  # the separator


def test_a_token_shared_with_the_separator_is_kept_on_the_path() -> None:
    """Some tokenizers make one token of a full stop and the line break behind it."""
    tokenizer = tiny_tokenizer("gpt2")
    tokenizer.add_tokens([".\n"])
    case = make_case(tokenizer, LAYOUT, row_of(), QuestionKind.CHOICE)
    both = [
        (span, kept)
        for span, kept in zip(case.spans_M, case.kept_M, strict=True)
        if span and kept
    ]
    assert both == [((len(RATIONALE) - 1, len(RATIONALE)), True)]
