"""Sizes of models, from files and fields of all forms."""

import json
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.teachers.vllm.model_size import (
    ModelSize,
    find_model_files,
    model_size,
    read_model_size,
    weight_file_bytes,
)
from cotbuild.schemas.teacher_config import TeacherConfig
from tests.support.gpu_machines import CONFIGS

HUB_TEACHER = "hub:owner/model@" + "a" * 40


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({}, 0),
        ({"config.json": 5, "README.md": 7}, 0),
        ({"model-1.safetensors": 3, "model-2.safetensors": 4}, 7),
        ({"model.safetensors": 3, "consolidated.safetensors": 3}, 3),
        ({"consolidated.safetensors": 3, "params.json": 1}, 3),
        ({"pytorch_model.bin": 9, "model.safetensors": 8}, 8),
        ({"pytorch_model.bin": 9}, 9),
        ({"model-q4.gguf": 4, "model-q8.gguf": 8}, 8),
    ],
)
def test_files_that_are_loaded_count(sizes: dict[str, int], expected: int) -> None:
    assert weight_file_bytes(sizes) == expected


@pytest.mark.parametrize(
    ("stored", "dtype", "more", "expected"),
    [
        ("bfloat16", None, {}, 100),
        ("bfloat16", "auto", {}, 100),
        ("bfloat16", "float32", {}, 200),
        ("float32", None, {}, 50),
        ("float32", "float32", {}, 100),
        ("torch.float16", "bfloat16", {}, 100),
        ("bfloat16", "float32", {"quantization_config": {"bits": 4}}, 100),
        ("int4", None, {}, 100),
    ],
)
def test_weights_are_loaded_in_their_data_type(
    stored: str, dtype: str | None, more: dict[str, Any], expected: int
) -> None:
    config = {"torch_dtype": stored, **more}
    assert model_size(config, 100, dtype).weight_bytes == expected


def test_heads_and_kv_cache() -> None:
    values, _ = CONFIGS["Qwen2.5-32B"]
    size = model_size(values, 1, None)
    assert (size.num_heads, size.num_kv_heads) == (40, 8)
    assert size.kv_bytes_per_token == 2 * 64 * 8 * 128 * 2
    assert size.kv_bytes(10, 2) == 5 * 262144
    assert size.kv_bytes(16, 40) == 2 * 262144  # each GPU has one of the 8 heads
    multimodal = model_size({"text_config": values, "hidden_size": 1}, 1, None)
    assert multimodal.kv_bytes_per_token == size.kv_bytes_per_token
    gpt2 = model_size({"n_head": 12, "n_layer": 12, "n_embd": 768}, 1, None)
    assert gpt2.kv_bytes_per_token == 2 * 12 * 768 * 2
    latent = model_size(CONFIGS["DeepSeek-V3"][0], 1, None)
    assert latent.kv_bytes_per_token == 61 * (512 + 64) * 2
    assert latent.kv_bytes(1, 8) == latent.kv_bytes(1, 1)


@pytest.mark.parametrize(
    ("heads", "kv_heads", "widths"),
    [
        (40, 8, [1, 2, 4, 8]),
        (28, 4, [1, 2, 4]),
        (14, 2, [1, 2]),
        (71, 1, [1]),
        (64, 8, [1, 2, 4, 8]),
        (48, 6, [1, 2, 3, 6]),
        (None, None, [1, 2, 4, 8]),
    ],
)
def test_how_wide_a_model_spreads(
    heads: int | None, kv_heads: int | None, widths: list[int]
) -> None:
    size = ModelSize(1, heads, kv_heads)
    assert [width for width in range(1, 9) if size.divides_into(width)] == widths


@pytest.mark.parametrize(
    "config", [[], {"num_attention_heads": "many", "num_hidden_layers": -1, "dtype": 3}]
)
def test_a_config_of_another_form_says_nothing(config: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(bytes(10))
    files = find_model_files(TeacherConfig(model=str(tmp_path)), "local:0")
    assert read_model_size(files, None) == ModelSize(10)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ('{"metadata": {"total_size": 500}}', 500),
        ('{"metadata": {"total_size": 500.0}}', 500),
        ('{"metadata": {"total_size": "500"}}', 10),
        ('{"metadata": null}', 10),
        ("{", 10),
    ],
)
def test_an_index_states_the_total(tmp_path: Path, index: str, expected: int) -> None:
    (tmp_path / "model-1.safetensors").write_bytes(bytes(10))
    (tmp_path / "model.safetensors.index.json").write_text(index)
    files = find_model_files(TeacherConfig(model=str(tmp_path)), "local:0")
    size = read_model_size(files, None)
    assert size is not None
    assert size.weight_bytes == expected


def test_a_folder_without_weights_has_no_size(tmp_path: Path) -> None:
    files = find_model_files(TeacherConfig(model=str(tmp_path)), "local:0")
    assert read_model_size(files, None) is None


@pytest.mark.parametrize(
    "variables",
    [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}],
)
def test_a_hub_that_cannot_be_asked_says_nothing(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if "HF_ENDPOINT" in variables:
        monkeypatch.setattr(
            "huggingface_hub.constants.ENDPOINT", variables["HF_ENDPOINT"]
        )
    files = find_model_files(TeacherConfig(model="owner/model"), HUB_TEACHER)
    assert read_model_size(files, None) is None
