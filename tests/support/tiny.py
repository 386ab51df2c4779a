"""Students of five families, a few thousand random weights each, with tokenizers made
on the spot. No download.

What families differ in is there: gpt2 and phi have no token for padding, gemma begins
each text with one, llama and qwen2 have a chat template, gpt2 numbers positions by a
table, gemma (2) caps its logits and looks back over a window.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    PhiConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from cotbuild.student.model import Student

FAMILIES = ("gpt2", "llama", "phi", "gemma", "qwen2")
NO_PAD, BEGINS, CHATS = ("gpt2", "phi"), ("gemma",), ("llama", "qwen2")
TEXTS = (
    "Question: Which of these floats on water?\nOptions:\n- a wooden boat\n- an iron nail\n- a stone\nAnswer:",
    " a wooden boat\nReasoning: Wood is lighter than water, so the boat floats. The answer is a wooden boat.",
    "Reasoning: Iron and stone are heavier than water, so they sink to the bottom of the lake.",
)
CHAT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


def tiny_tokenizer(family: str) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of about 400 tokens with the special tokens that the
    family has.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = {"eos_token": "<|im_end|>" if family in CHATS else "<eos>"}
    if family not in NO_PAD:
        special["pad_token"] = "<pad>"
    if family in BEGINS:
        special["bos_token"] = "<bos>"
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[
            *special.values(),
            *(["<|im_start|>"] if family in CHATS else []),
        ],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    if family in BEGINS:
        begin = ("<bos>", tokenizer.token_to_id("<bos>"))
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[begin]
        )
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)  # type: ignore[no-untyped-call]
    if family in CHATS:
        made.chat_template = CHAT
    return made


LLAMA_3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Llama-3 splits a text before it makes tokens; Qwen 2 does nearly the same."""


@cache
def merging_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that has one token for a full stop and the line break after it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA_3_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["It is in the U.S.\nReasoning: it is."] * 9, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>")  # type: ignore[no-untyped-call]


def tiny_config(family: str, tokenizer: PreTrainedTokenizerFast) -> PreTrainedConfig:
    """Two layers, 32 wide, no dropout."""
    ids: dict[str, Any] = {
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
    }
    ids |= {"pad_token_id": tokenizer.pad_token_id, "vocab_size": len(tokenizer)}
    usual: dict[str, Any] = {
        **ids,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    usual |= {
        "intermediate_size": 64,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
    }
    match family:
        case "gpt2":
            sizes: dict[str, Any] = {
                "n_embd": 32,
                "n_layer": 2,
                "n_head": 4,
                "n_positions": 512,
            }
            return GPT2Config(
                **ids, **sizes, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0
            )
        case "llama":
            return LlamaConfig(**usual, tie_word_embeddings=True)
        case "phi":
            return PhiConfig(**usual)
        case "gemma":
            return Gemma2Config(
                **usual, final_logit_softcapping=1.0, sliding_window=16, head_dim=8
            )
        case "qwen2":
            return Qwen2Config(**usual)
    raise ValueError(f"family {family!r}, expected one of {FAMILIES}")


def tiny_model(
    family: str, tokenizer: PreTrainedTokenizerFast, seed: int = 0
) -> PreTrainedModel:
    """Random weights in float32, in evaluation mode."""
    torch.manual_seed(seed)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(
        tiny_config(family, tokenizer)
    )  # type: ignore[no-untyped-call]
    # Random weights of the usual size say next to nothing: larger ones make losses and
    # choices differ.
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.mul_(5)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def tiny_student(family: str, seed: int = 0) -> Student:
    """A student with weights of its own: training it changes no other test's."""
    tokenizer = tiny_tokenizer(family)
    return Student(
        tiny_model(family, tokenizer, seed), tokenizer, f"tiny:{family}:{seed}"
    )


def save_tiny(folder: Path, family: str = "llama", seed: int = 0) -> Path:
    """A folder in transformers' form, as --student takes it."""
    student = tiny_student(family, seed)
    student.model.save_pretrained(folder)
    student.tokenizer.save_pretrained(folder)
    return folder


@cache
def shared_student(family: str) -> Student:
    """A student that tests read and never train."""
    return tiny_student(family)
