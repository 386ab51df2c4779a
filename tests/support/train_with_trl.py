"""Trains one step of a tiny model on each variant, with TRL and `datasets` alone: what a
downstream user does.

    python tests/support/train_with_trl.py BUILD OUT VARIANT...

Prints, as a line of JSON for each variant, the prompts of the first batch, what its
supervised tokens decode to, and the loss. One process, since TRL takes longer to import
than to train.
"""

import json
import sys
from typing import Any

from datasets import load_dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]

CHAT = (
    "{% for m in messages %}{{ m.role }}:\n{{ m.content }}<eos>\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:\n{% endif %}"
)
"""A chat template for variants of messages."""


def texts_of(column: list[Any]) -> list[str]:
    """The texts of a column: texts as they are, or the turns of messages."""
    texts = []
    for value in column:
        turns = [{"content": value}] if isinstance(value, str) else value
        texts += [turn["content"] for turn in turns]
    return texts


def tokenizer_of(texts: list[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, with an end-of-text token and one for padding."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<eos>", "<pad>"],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    made = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>"
    )
    made.chat_template = CHAT
    return made


def train(build: str, variant: str, out: str) -> None:
    rows = load_dataset(build, variant, split="train")
    texts = texts_of([*rows["prompt"], *rows["completion"]])
    tokenizer = tokenizer_of(texts)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    settings = SFTConfig(
        output_dir=out,
        max_steps=1,
        per_device_train_batch_size=4,
        use_cpu=True,
        bf16=False,
        report_to=[],
        max_length=None,
    )
    model = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]
    trainer = SFTTrainer(
        model, args=settings, train_dataset=rows, processing_class=tokenizer
    )
    batch = next(iter(trainer.get_train_dataloader()))
    labels = batch["labels"]
    supervised = [tokenizer.decode(row[row != -100]) for row in labels]
    read = [
        tokenizer.decode(ids[(row == -100)])
        for ids, row in zip(batch["input_ids"], labels, strict=True)
    ]
    trainer.train()
    print(
        json.dumps(
            {
                "variant": variant,
                "supervised": supervised,
                "read": read,
                "loss": trainer.state.log_history[-1]["train_loss"],
            }
        )
    )


if __name__ == "__main__":
    build, out, *variants = sys.argv[1:]
    for variant in variants:
        train(build, variant, out)
