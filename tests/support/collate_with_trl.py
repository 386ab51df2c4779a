"""Collates rows with images as TRL does to train a vision model, and takes their loss.

    python -m tests.support.collate_with_trl BUILD VARIANT

Prints, as JSON, what the supervised tokens of each row decode to, the number of image
tokens of each row, the shape of the pixels, and the loss of a tiny model.
"""

import json
import sys
from typing import Any

from datasets import load_dataset
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from tests.support.tiny_vision import make_model, make_processor
from tests.support.train_with_trl import tokenizer_of


def texts_of(row: dict[str, Any]) -> list[str]:
    return [turn["content"] for turn in (*row["prompt"], *row["completion"])]


def main(build: str, variant: str) -> None:
    rows = [
        {name: row[name] for name in ("prompt", "completion", "images")}
        for row in load_dataset(build, variant, split="train")
    ]
    tokenizer = tokenizer_of([text for row in rows for text in texts_of(row)])
    collator = DataCollatorForVisionLanguageModeling(
        make_processor(tokenizer), completion_only_loss=True
    )
    batch = collator(rows)
    image_token = tokenizer.convert_tokens_to_ids("<image>")
    model = make_model(tokenizer)
    print(
        json.dumps(
            {
                "supervised": [
                    tokenizer.decode(row[row != -100]) for row in batch["labels"]
                ],
                "image_tokens": (batch["input_ids"] == image_token).sum(1).tolist(),
                "pixels": list(batch["pixel_values"].shape),
                "loss": model(**batch).loss.item(),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
