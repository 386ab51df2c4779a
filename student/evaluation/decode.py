"""Greedy decoding of many prompts at once, with cached keys and values."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.training import Layout
from cotbuild.student.evaluation.prefix import (
    Prefix,
    batch_by_tokens,
    continue_from,
    run_prefix,
)
from cotbuild.student.model import Student
from cotbuild.student.tokenize_parts import tokenize_with_parts

KEEP_ABOVE = 0.75
"""Finished texts are dropped from a batch once at most this share is unfinished.

They are run on until then, since dropping one copies the keys and values of all others.
"""


class DecodedText(NamedTuple):
    """What a student generated after a prompt."""

    text: str
    """Up to the stop, without it."""
    tokens: int
    """Tokens generated, those of the stop included."""
    stopped: bool
    """Whether a stop ended it; else it is the end of text or the limit."""
    cut: bool = False
    """Whether the limit ended it."""


def damaged_remedy(student: Student) -> str:
    """Return what to do about a student whose logits are infinite or NaN."""
    if student.model.dtype == torch.bfloat16:
        return (
            "Its weights are damaged, or too large for bfloat16: evaluate it in float32, "
            "or train it again with a lower --lr."
        )
    return "Its weights are damaged: train it again with a lower --lr."


def tokenize_prompt(student: Student, prompt: str) -> list[int]:
    """Tokenize a prompt, with the family's start of text and no end of text."""
    row = tokenize_with_parts(student.tokenizer, prompt, "", [], end=False)
    return row.input_ids_T


def label_stops(layout: Layout, *, multiline: bool = False) -> tuple[str, ...]:
    """Return the stops of a label: a line break, and what follows it in training.

    A line break is none if labels contain some (`multiline`); then there may be no stop
    but the end of text.
    """
    after_label = layout.text_after_label.rstrip()
    if multiline:
        return (after_label,) if after_label else ()
    if not after_label or after_label.startswith("\n"):
        return ("\n",)
    return ("\n", after_label)


def decode_prompts(
    student: Student,
    prompts: Sequence[list[int]],
    max_tokens: Sequence[int],
    stops: Sequence[Sequence[str]],
    batch_tokens: int,
) -> Iterator[tuple[int, DecodedText]]:
    """Yield (index of the prompt, generated text), a batch at a time.

    Args:
        prompts: token ids of each prompt.
        max_tokens: most tokens to generate for each prompt.
        stops: for each prompt the texts that end an answer, as the end of text does.
        batch_tokens: most tokens whose keys and values are held at once. Only a single
            prompt may take more.
    """
    sizes = [
        (1, len(ids) + limit) for ids, limit in zip(prompts, max_tokens, strict=True)
    ]
    for batch in batch_by_tokens(sizes, batch_tokens):
        batch_prompts = [prompts[i] for i in batch]
        limits = [max_tokens[i] for i in batch]
        with torch.inference_mode():
            prefix = run_prefix(student.model, batch_prompts, student.pad_id)
            of_batch = [stops[i] for i in batch]
            texts = decode_from_prefix(student, prefix, limits, of_batch)
        yield from zip(batch, texts, strict=True)


def decode_from_prefix(
    student: Student,
    prefix: Prefix,
    limits: Sequence[int],
    stops: Sequence[Sequence[str]],
) -> list[DecodedText]:
    """Generate from prompts that were run, up to `limits` tokens each.

    `prefix` must not be used afterwards. Raises DataError if a logit of a text that is
    not finished is infinite or NaN.
    """
    generated: list[list[int]] = [[] for _ in limits]
    finished: dict[int, DecodedText] = {
        row: DecodedText("", 0, False) for row, limit in enumerate(limits) if not limit
    }
    running = list(range(len(limits)))
    while len(finished) < len(limits):
        next_B = prefix.logits_B_V.argmax(-1)
        finite_B = _are_finite(prefix.logits_B_V)
        nexts = zip(running, next_B.tolist(), finite_B.tolist(), strict=True)
        for row, token, is_finite in nexts:
            if row in finished:
                continue
            if not is_finite:
                raise DataError(
                    f"student {student.identity!r}: its logits are infinite or not "
                    f"numbers. {damaged_remedy(student)}"
                )
            generated[row].append(token)
            text = _finished_text(student, generated[row], limits[row], stops[row])
            if text is not None:
                finished[row] = text
        unfinished = [i for i, row in enumerate(running) if row not in finished]
        if unfinished and len(unfinished) <= KEEP_ABOVE * len(running):
            keep = torch.tensor(unfinished, device=next_B.device)
            prefix, next_B = prefix.select(keep), next_B[keep]
            running = [running[i] for i in unfinished]
        if unfinished:
            prefix = _append_tokens(student, prefix, next_B)
    return [finished[row] for row in range(len(limits))]


def _are_finite(logits_B_V: torch.Tensor) -> torch.Tensor:
    """Return whether all logits of a row are finite.

    NaN is passed on by both, and each takes a fifth of the time of `isfinite`.
    """
    return logits_B_V.amax(-1).isfinite() & logits_B_V.amin(-1).isfinite()


def _append_tokens(student: Student, prefix: Prefix, next_B: torch.Tensor) -> Prefix:
    """Run one more token of each prompt."""
    ones_B_1 = torch.ones_like(next_B)[:, None]
    logits_B_1_V = continue_from(student.model, prefix, next_B[:, None], ones_B_1)
    mask_B_P = torch.cat([prefix.mask_B_P, ones_B_1], 1)
    return Prefix(prefix.cache, mask_B_P, logits_B_1_V[:, -1].float())


def _finished_text(
    student: Student, ids: list[int], limit: int, stops: Sequence[str]
) -> DecodedText | None:
    """Return the text if its last token finishes it, else None."""
    tokenizer = student.tokenizer
    text = str(
        tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
    )
    stop = find_stop(text, stops)
    if stop is not None:
        return DecodedText(text[:stop], len(ids), True)
    if ids[-1] == tokenizer.eos_token_id or ids[-1] in student.end_ids:
        return DecodedText(text, len(ids), False)
    if len(ids) >= limit:
        return DecodedText(text, len(ids), False, cut=True)
    return None


def find_stop(text: str, stops: Sequence[str]) -> int | None:
    """Return where the first stop begins, or None if there is none.

    Only a stop that begins with a line break may begin the text: an answer may well
    begin with " because".
    """
    starts = []
    for stop in stops:
        start = text.find(stop, 0 if stop.startswith("\n") else 1)
        if start >= 0:
            starts.append(start)
    return min(starts, default=None)
