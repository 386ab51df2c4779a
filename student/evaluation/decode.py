"""Greedy decoding of many texts at once, each until what ends it, with the keys and
values of all before it kept.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from cotbuild.student.model import Student
from cotbuild.student.prefix import Prefix, batch_by_tokens, continue_from, run_prefix
from cotbuild.student.tokenize_parts import tokenize_with_parts

SHRINK = 0.75
"""Texts that are done are run on until this share is left: dropping one copies the keys
and values of all others.
"""


class DecodedText(NamedTuple):
    """What a student said."""

    text: str
    """Up to what stopped it, without it."""
    tokens: int
    """Generated, with those of what ended it."""
    stopped: bool
    """By a stop; else the text ended or was cut."""


def tokenize_prompt(student: Student, prompt: str) -> list[int]:
    """Tokens of a prompt, with what the family begins a text with and no end of text."""
    return tokenize_with_parts(student.tokenizer, prompt, "", [], end=False).input_ids_T


def decode_prompts(
    student: Student,
    prompts: Sequence[list[int]],
    max_tokens: Sequence[int],
    stops: Sequence[str],
    batch_tokens: int,
) -> Iterator[tuple[int, DecodedText]]:
    """(prompt, what is said behind it) as they are had; each ends at a stop, the end of
    text, or its `max_tokens`.

    `batch_tokens`: most tokens whose keys and values are held at once; more only for
    one prompt.
    """
    sizes = [
        (1, len(ids) + limit) for ids, limit in zip(prompts, max_tokens, strict=True)
    ]
    for batch in batch_by_tokens(sizes, batch_tokens):
        with torch.inference_mode():
            state = run_prefix(
                student.model, [prompts[i] for i in batch], student.pad_id
            )
            found = decode_from_prefix(
                student, state, [max_tokens[i] for i in batch], stops
            )
        yield from zip(batch, found, strict=True)


def find_stop(text: str, stops: Sequence[str]) -> int | None:
    """Where the first stop begins.

    Only one with a line break may begin the text: " because" may open an answer.
    """
    found = [text.find(stop, 0 if stop.startswith("\n") else 1) for stop in stops]
    return min((place for place in found if place >= 0), default=None)


def decode_from_prefix(
    student: Student, state: Prefix, limits: Sequence[int], stops: Sequence[str]
) -> list[DecodedText]:
    """What is said behind texts that were run; `state` must not be used any more."""
    said: list[list[int]] = [[] for _ in limits]
    ended: list[DecodedText | None] = [
        None if limit else DecodedText("", 0, False) for limit in limits
    ]
    alive = list(range(len(limits)))
    while any(one is None for one in ended):
        next_B = state.logits_B_V.argmax(-1)
        for row, token in zip(alive, next_B.tolist(), strict=True):
            if ended[row] is None:
                said[row].append(token)
                ended[row] = _ended(student, said[row], limits[row], stops)
        left = [i for i, row in enumerate(alive) if ended[row] is None]
        if left and len(left) <= SHRINK * len(alive):
            keep = torch.tensor(left, device=next_B.device)
            state, next_B, alive = (
                state.pick(keep),
                next_B[keep],
                [alive[i] for i in left],
            )
        if left:
            state = _step(student, state, next_B)
    return [one for one in ended if one is not None]


def _step(student: Student, state: Prefix, next_B: torch.Tensor) -> Prefix:
    one_B_1 = torch.ones_like(next_B)[:, None]
    logits_B_1_V = continue_from(student.model, state, next_B[:, None], one_B_1)
    return Prefix(
        state.cache,
        torch.cat([state.mask_B_P, one_B_1], 1),
        logits_B_1_V[:, -1].float(),
    )


def _ended(
    student: Student, ids: list[int], limit: int, stops: Sequence[str]
) -> DecodedText | None:
    """What was said, where its last token ends it."""
    tokenizer = student.tokenizer
    text = str(
        tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
    )
    place = find_stop(text, stops)
    if place is not None:
        return DecodedText(text[:place], len(ids), True)
    if ids[-1] == tokenizer.eos_token_id or len(ids) >= limit:
        return DecodedText(text, len(ids), False)
    return None
