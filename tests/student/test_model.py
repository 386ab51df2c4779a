"""Loading a student, and the ids that its tokenizer writes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

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

Weights = dict[str, torch.Tensor]

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


# -- files -------------------------------------------------------------------------------


def save_changed(folder: Path, family: str, change: Callable[[Weights], None]) -> Path:
    """Save a student whose file of weights was changed."""
    save_tiny(folder, family)
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def without_second_layer(weights: Weights) -> None:
    for name in [name for name in weights if ".1." in name]:
        del weights[name]


def with_longer_biases(weights: Weights) -> None:
    for name, value in weights.items():
        if name.endswith("bias"):
            weights[name] = torch.zeros(value.numel() + 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_without_all_weights_is_rejected(
    family: str, tmp_path: Path
) -> None:
    folder = save_changed(tmp_path / "tiny", family, without_second_layer)
    said = (
        r"^student 'tiny': its files lack \d+ of the model's weights, such as \S+\.1\."
    )
    with pytest.raises(ConfigError, match=said) as caught:
        load_student(folder, "local:x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("family", ["gpt2", "phi", "qwen2"])
def test_weights_of_another_shape_are_rejected(family: str, tmp_path: Path) -> None:
    folder = save_changed(tmp_path / "tiny", family, with_longer_biases)
    said = (
        r"its files have in another shape \d+ of the model's weights, such as \S+bias"
    )
    with pytest.raises(ConfigError, match=said) as caught:
        load_student(folder, "local:x")
    assert "\n" not in str(caught.value)


def test_weights_that_the_model_has_no_place_for_are_harmless(tmp_path: Path) -> None:
    def add(weights: Weights) -> None:
        weights["another_head.weight"] = torch.zeros(3)

    folder = save_changed(tmp_path / "tiny", "llama", add)
    assert load_student(folder, "local:x").identity == "local:x"


@pytest.mark.parametrize("kept_bytes", [0, 4, 2000, -100])
def test_a_truncated_file_of_weights_is_rejected(
    kept_bytes: int, tmp_path: Path
) -> None:
    folder = save_tiny(tmp_path / "tiny", "llama")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept_bytes])
    said = r"^student 'tiny' could not be loaded: .*\. Use a decoder-only model"
    with pytest.raises(ConfigError, match=said) as caught:
        load_student(folder, "local:x")
    assert "\n" not in str(caught.value)


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
