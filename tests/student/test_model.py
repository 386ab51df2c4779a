"""Loading a student, and the ids that its tokenizer writes."""

import re
from pathlib import Path

import pytest
import torch

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import Precision
from cotbuild.student.model import (
    Student,
    check_token_ids,
    load_for_inference,
    load_student,
)
from cotbuild.student.precision import inference_device
from tests.support.tiny import FAMILIES, save_tiny, tiny_student

ROOT = Path(__file__).parents[2]

# -- devices -----------------------------------------------------------------------------


def test_a_student_is_put_on_the_device_in_its_precision(tmp_path: Path) -> None:
    student = load_for_inference(
        save_tiny(tmp_path / "tiny", "llama"),
        "tiny",
        precision=Precision.BFLOAT16,
        device=torch.device("meta"),
    )
    parameters = list(student.model.parameters())
    assert {one.device.type for one in parameters} == {"meta"}
    assert {one.dtype for one in parameters} == {torch.bfloat16}
    assert not student.model.training


def test_only_trainers_load_a_student_without_a_device() -> None:
    """Others would leave it on the CPU of a machine with a GPU."""
    callers = {
        path.name
        for part in ("builder", "student")
        for path in (ROOT / part).rglob("*.py")
        if re.search(r"(?<![\w.])load_student\(", path.read_text("utf-8"))
    }
    assert callers == {"model.py", "train.py"}


def test_the_device_is_the_default_one(tmp_path: Path) -> None:
    student = load_for_inference(save_tiny(tmp_path / "tiny", "gpt2"), "tiny")
    assert student.model.device.type == inference_device().type


# -- token ids ---------------------------------------------------------------------------


def save_with_embeddings(student: Student, num_rows: int, folder: Path) -> Path:
    """Save a student whose embeddings were resized without its tokenizer."""
    student.model.resize_token_embeddings(num_rows)
    student.model.save_pretrained(folder)
    student.tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("missing", [1, 20])
def test_a_tokenizer_larger_than_the_embedding_is_rejected(
    family: str, missing: int, tmp_path: Path
) -> None:
    student = tiny_student(family)
    num_tokens = len(student.tokenizer)
    folder = save_with_embeddings(student, num_tokens - missing, tmp_path / "tiny")
    said = rf"'tiny': its tokenizer writes id \d+ for .* has {num_tokens - missing} emb"
    with pytest.raises(ConfigError, match=said) as caught:
        load_student(folder, "local:x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("role", ["pad_token", "bos_token", "eos_token"])
def test_an_inserted_token_beyond_the_embedding_is_rejected(role: str) -> None:
    student = tiny_student("llama")
    student.tokenizer.add_special_tokens({role: "<new>"})
    with pytest.raises(ConfigError, match="for '<new>'"):
        check_token_ids(student.model, student.tokenizer, "tiny")


def test_an_added_token_ends_only_the_pass_that_reads_it() -> None:
    student = tiny_student("llama")
    student.tokenizer.add_tokens(["<image>"])
    check_token_ids(student.model, student.tokenizer, "tiny")
    good = student.tokenizer("Wood floats.", return_tensors="pt")
    student.model(**good)
    bad = student.tokenizer("Wood <image> floats.", return_tensors="pt")
    with pytest.raises(ConfigError, match="for '<image>', but the model has"):
        student.model(**bad)


def test_an_embedding_larger_than_the_tokenizer_is_usual(tmp_path: Path) -> None:
    student = tiny_student("gpt2")
    num_tokens = len(student.tokenizer)
    folder = save_with_embeddings(student, num_tokens + 64, tmp_path / "tiny")
    assert load_student(folder, "local:x").identity == "local:x"
