"""A vision model with random weights that vLLM serves, made from a config in seconds.

Idefics3, the class of SmolVLM, with 6.5 million parameters and the tokenizer of the
embedded model. Its answers are noise; what it shows is that pictures take the whole
way. LLaVA and Qwen2-VL do not load beside the CPU's torch: vLLM's code for them imports
torchvision.
"""

import json
from pathlib import Path
from typing import Any

IMAGE_SIZE = 64
PATCH_SIZE = 16
SCALE_FACTOR = 2
IMAGE_TOKENS = (IMAGE_SIZE // PATCH_SIZE // SCALE_FACTOR) ** 2
"""Tokens that stand for one picture, beside those around it."""
HIDDEN_SIZE = 64

_CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message['role'] }}
{% if message['content'] is string -%}
{{ message['content'] }}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}<image>
{%- elif part['type'] == 'text' -%}{{ part['text'] }}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}"""
_MODEL_TOKENS = ["<fake_token_around_image>", "<image>", "<end_of_utterance>"]
_GRID_TOKENS = [
    "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
]


def make_tiny_vision(folder: Path, tokenizer_folder: Path) -> Path:
    """Write the model, its tokenizer and its processor to `folder`, and return it.

    `tokenizer_folder` has the tokenizer of the embedded model.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder, local_files_only=True)
    processor = make_processor(tokenizer)
    make_model(tokenizer).save_pretrained(folder)
    processor.save_pretrained(folder)
    # transformers writes the template of a processor to a file of its own.
    (folder / "chat_template.jinja").write_text(_CHAT_TEMPLATE, encoding="utf-8")
    _name_slow_processor(folder)
    return folder


def make_model(tokenizer: Any) -> Any:
    """Return the model, for a tokenizer that `make_processor` was given before."""
    import torch
    from transformers import Idefics3ForConditionalGeneration

    torch.manual_seed(0)
    make: Any = Idefics3ForConditionalGeneration
    return make(_make_config(tokenizer)).to(torch.float32)


def _make_config(tokenizer: Any) -> Any:
    from transformers import Idefics3Config

    return Idefics3Config(
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id or 0,
        scale_factor=SCALE_FACTOR,
        tie_word_embeddings=True,
        vision_config={
            "hidden_size": HIDDEN_SIZE,
            "intermediate_size": 2 * HIDDEN_SIZE,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": IMAGE_SIZE,
            "patch_size": PATCH_SIZE,
        },
        text_config={
            "model_type": "llama",
            "hidden_size": HIDDEN_SIZE,
            "intermediate_size": 2 * HIDDEN_SIZE,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 2048,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id or 0,
        },
    )


def make_processor(tokenizer: Any) -> Any:
    """Return the processor; the tokenizer gets the tokens of images and a template."""
    from transformers import Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import (
        Idefics3ImageProcessorPil,
    )

    added = [*_MODEL_TOKENS, *_GRID_TOKENS]
    tokenizer.add_special_tokens({"additional_special_tokens": added})
    tokenizer.chat_template = _CHAT_TEMPLATE
    image_processor = Idefics3ImageProcessorPil(
        size={"longest_edge": 2 * IMAGE_SIZE},
        max_image_size={"longest_edge": IMAGE_SIZE},
        do_image_splitting=False,
    )
    return Idefics3Processor(
        image_processor,
        tokenizer,
        image_seq_len=IMAGE_TOKENS,
        chat_template=_CHAT_TEMPLATE,
    )


def _name_slow_processor(folder: Path) -> None:
    """Name the image processor that needs no torchvision in the saved settings."""
    for path in folder.glob("*processor*config.json"):
        settings = json.loads(path.read_text())
        for part in (settings, settings.get("image_processor", {})):
            if "image_processor_type" in part:
                part["image_processor_type"] = "Idefics3ImageProcessorPil"
        path.write_text(json.dumps(settings, indent=2))
