"""Logits of a student in bfloat16: in float32 inside the context, and only there."""

import pytest
import torch

from cotbuild.student.evaluation.float32_logits import float32_logits
from cotbuild.student.model import Student
from tests.support.tiny import FAMILIES, tiny_student

IDS = torch.tensor([[5, 6, 7, 8]])


def logits(student: Student) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = student.model(input_ids=IDS).logits
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_not_rounded_to_the_precision_of_the_weights(family: str) -> None:
    student = tiny_student(family)
    student.model.to(torch.bfloat16)  # type: ignore[arg-type]
    rounded = logits(student)
    with float32_logits(student.model):
        exact = logits(student)
    assert (rounded.dtype, exact.dtype) == (torch.bfloat16, torch.float32)
    assert not torch.equal(exact, exact.to(torch.bfloat16).float())
    torch.testing.assert_close(exact, rounded.float(), rtol=2**-6, atol=2**-6)
    assert torch.equal(logits(student), rounded), "as before, outside"


def test_a_student_in_float32_stays_as_it_is() -> None:
    student = tiny_student("llama")
    before = logits(student)
    with float32_logits(student.model):
        assert torch.equal(logits(student), before)
