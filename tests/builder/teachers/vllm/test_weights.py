"""What a model's config.json says before a server is started."""

import json
from pathlib import Path

import pytest

from cotbuild.builder.teachers.vllm.weights import refuse_text_model, takes_images
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.teacher_config import TeacherConfig


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        # The top-level names of published configs.
        ({"model_type": "llama", "hidden_size": 64, "vocab_size": 9}, False),
        ({"model_type": "qwen3", "use_sliding_window": False}, False),
        ({"model_type": "idefics3", "image_token_id": 9, "vision_config": {}}, True),
        ({"model_type": "qwen2_vl", "vision_config": {}}, True),
        ({"model_type": "qwen", "visual": {}}, True),
        ({"model_type": "phi3_v", "img_processor": {}}, True),
        ({"model_type": "chameleon", "vq_config": {}}, True),
        ({"model_type": "llava", "mm_vision_tower": "clip"}, True),
    ],
)
def test_a_part_for_pictures_shows_in_the_config(
    config: dict[str, object], expected: bool, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert takes_images(path) is expected
    teacher = TeacherConfig(model=str(tmp_path))
    if expected:
        refuse_text_model(teacher)
    else:
        with pytest.raises(ConfigError, match="takes no pictures"):
            refuse_text_model(teacher)


def test_what_is_not_known_is_not_refused(tmp_path: Path) -> None:
    refuse_text_model(TeacherConfig(model=str(tmp_path)))
    refuse_text_model(TeacherConfig(model="scripted"))
    refuse_text_model(TeacherConfig(model="m", endpoints=("http://host/v1",)))


def test_the_embedded_model_takes_text_alone() -> None:
    with pytest.raises(ConfigError, match=r"^teacher: 'embedded' takes no pictures"):
        refuse_text_model(TeacherConfig(model="embedded"))


@pytest.mark.parametrize("text", ["", "[1]", "3", "null"])
def test_a_damaged_config_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="not a config of transformers"):
        takes_images(path)
