"""Rows a second of each transform of a variant, beside a bare Python loop that does the
same to the same texts.

    PYTHONPATH=. python tests/bench/transforms.py     # from the root; needs the real data, see tests/support/commands.py

Two loops. "same draws" takes the same sha256 draws, so that its texts are the
transform's, which is checked; "random" has one random.Random for all rows, so that no
row can be derived alone; "datasets.map" is that one in batches. A ratio above 1: the
transform is faster.
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import islice
from typing import NamedTuple, cast

from datasets import Dataset, disable_progress_bars
from harness import alternate, load, spread, table
from tokenizers import Tokenizer

from cotbuild.builder.variants.draws import SeededDraws
from cotbuild.builder.variants.example import (
    BuildCorpus,
    RationaleExample,
    TransformFn,
)
from cotbuild.builder.variants.transforms.mask import cut, is_content_word, mask
from cotbuild.builder.variants.transforms.order import reverse, shuffle, sort
from cotbuild.builder.variants.units import TokenPieces, sentences
from cotbuild.schemas.answers.grade import grade_completion
from cotbuild.schemas.answers.mentions import find_mentions
from cotbuild.schemas.question import Question
from cotbuild.schemas.transform import Cut, Mask, Reverse, Shuffle, Sort
from tests.support.labelled import SETS, rows_of

SEED, STEP = 1, 0
Draw = Callable[[int], list[int]]
"""0 … n - 1 in drawn order."""
Bare = Callable[[str, Draw, Question], str]
"""What a transform does, written down with as little as it takes."""


class Case(NamedTuple):
    """A line of the table."""

    name: str
    apply: TransformFn
    bare: Bare
    is_same: bool = True  # whether the bare loop's texts must be ours


# --- the loops ---


def ours(
    case: Case, subjects: Sequence[RationaleExample], corpus: BuildCorpus
) -> list[str | None]:
    """As `derive` does it."""
    return [
        case.apply(
            one.rationale,
            one,
            SeededDraws(SEED, STEP, one.question_id, one.sample_index),
            corpus,
        )
        for one in subjects
    ]


def with_same_draws(
    case: Case, subjects: Sequence[RationaleExample], questions: Sequence[Question]
) -> list[str]:
    """A loop whose rows can be derived alone."""
    made = []
    for one, question in zip(subjects, questions, strict=True):
        name = one.question_id.encode()
        start = b"%d/%d/%d:%s/%d/" % (SEED, STEP, len(name), name, one.sample_index)

        def draw(num: int, start: bytes = start) -> list[int]:
            return sorted(
                range(num),
                key=[
                    sha256(start + b"%d" % i).digest() for i in range(num)
                ].__getitem__,
            )

        made.append(case.bare(one.rationale, draw, question))
    return made


def with_random(
    case: Case, subjects: Sequence[RationaleExample], questions: Sequence[Question]
) -> list[str]:
    """The usual loop."""
    generator = random.Random(SEED)

    def draw(num: int) -> list[int]:
        order = list(range(num))
        generator.shuffle(order)
        return order

    return [
        case.bare(one.rationale, draw, question)
        for one, question in zip(subjects, questions, strict=True)
    ]


def with_datasets(
    case: Case, subjects: Sequence[RationaleExample], questions: Sequence[Question]
) -> list[str]:
    """The usual loop in `datasets.map(batched=True)`, its result kept in memory."""
    generator = random.Random(SEED)

    def draw(num: int) -> list[int]:
        order = list(range(num))
        generator.shuffle(order)
        return order

    def batch(rows: dict[str, list[str]], numbers: list[int]) -> dict[str, list[str]]:
        texts = zip(rows["rationale"], numbers, strict=True)
        return {
            "made": [case.bare(text, draw, questions[number]) for text, number in texts]
        }

    rows = Dataset.from_dict({"rationale": [one.rationale for one in subjects]})
    # A fingerprint of our own: else the time goes into pickling `questions`.
    return list(
        rows.map(
            batch,
            batched=True,
            with_indices=True,
            keep_in_memory=True,
            new_fingerprint=case.name,
        )["made"]
    )


# --- the bare functions ---


def bare_shuffle(text: str, draw: Draw, question: Question) -> str:  # noqa: ARG001
    words = text.split()
    return " ".join([words[i] for i in draw(len(words))])


def bare_shuffle_sentences(text: str, draw: Draw, question: Question) -> str:  # noqa: ARG001
    found = sentences(text)
    return " ".join([found[i] for i in draw(len(found))])


def bare_shuffle_within(text: str, draw: Draw, question: Question) -> str:  # noqa: ARG001
    made = []
    for sentence in sentences(text):
        words = sentence.split()
        made.append(" ".join([words[i] for i in draw(len(words))]))
    return " ".join(made)


def bare_shuffle_blocks(text: str, draw: Draw, question: Question) -> str:  # noqa: ARG001
    words = text.split()
    blocks = [" ".join(words[at : at + 3]) for at in range(0, len(words), 3)]
    return " ".join([blocks[i] for i in draw(len(blocks))])


def bare_mask(text: str, draw: Draw, question: Question) -> str:  # noqa: ARG001
    words = text.split()
    for i in draw(len(words))[: (len(words) + 1) // 2]:
        words[i] = "_"
    return " ".join(words)


def bare_drop_content(text: str, draw: Draw, question: Question) -> str:  # noqa: ARG001
    return " ".join([word for word in text.split() if not is_content_word(word)])


def bare_drop_mentions(text: str, draw: Draw, question: Question) -> str:  # noqa: ARG001
    words = text.split()
    while found := find_mentions(" ".join(words), question):
        kept, at = [], 0
        for word in words:
            end = at + len(word)
            if not any(mention.start < end and at < mention.end for mention in found):
                kept.append(word)
            at = end + 1
        words = kept
    return " ".join(words)


def bare_cut(text: str, draw: Draw, question: Question) -> str:  # noqa: ARG001
    words = text.split()
    return " ".join(words[: (len(words) + 1) // 2])


CASES = [
    Case("shuffle words", shuffle(Shuffle(do="shuffle")), bare_shuffle),
    Case(
        "shuffle sentences",
        shuffle(Shuffle(do="shuffle", unit="sentence")),
        bare_shuffle_sentences,
    ),
    Case(
        "shuffle within sentences",
        shuffle(Shuffle(do="shuffle", within="sentence")),
        bare_shuffle_within,
        False,
    ),
    Case(
        "shuffle blocks of 3",
        shuffle(Shuffle(do="shuffle", block=3)),
        bare_shuffle_blocks,
    ),
    Case(
        "reverse",
        reverse(Reverse(do="reverse")),
        lambda text, *_: " ".join(text.split()[::-1]),
    ),
    Case(
        "sort",
        sort(Sort(do="sort")),
        lambda text, *_: " ".join(sorted(text.split(), key=str.casefold)),
    ),
    Case("mask half", mask(Mask(do="mask", share=0.5, symbol="_")), bare_mask),
    Case(
        "drop content words", mask(Mask(do="mask", words="content")), bare_drop_content
    ),
    Case("drop mentions", mask(Mask(do="mask", words="mention")), bare_drop_mentions),
    Case("first half", cut(Cut(do="cut", share=0.5)), bare_cut),
]


def piece_case(tokenizer: str) -> Case:
    """The bare side joins tokens of one character by the same offsets."""
    pieces = TokenPieces.of(tokenizer)
    tokens = Tokenizer.from_file(str(pieces.file))

    def bare(text: str, draw: Draw, question: Question) -> str:  # noqa: ARG001
        made: list[str] = []
        end = 0
        for start, stop in tokens.encode(text, add_special_tokens=False).offsets:
            if start < end:
                made[-1] += text[end:stop]
            else:
                made.append(text[start:stop])
            end = stop
        return "".join([made[i] for i in draw(len(made))])

    return Case(
        "shuffle pieces",
        shuffle(Shuffle(do="shuffle", unit="piece"), pieces.split),
        bare,
    )


# --- the run ---


def real_subjects(num: int) -> list[RationaleExample]:
    """PaLM's rationales on CommonsenseQA as an import reads them, again from the first
    where they run out.
    """
    found = []
    for which in SETS[:2]:
        for question, row in rows_of(which):
            rationale = grade_completion(
                question, row.completion or "", finish_reason=None
            ).rationale
            found.append((question, rationale))
    repeated = islice(found * (num // len(found) + 1), num)
    return [
        RationaleExample(question, number // len(found), rationale)
        for number, (question, rationale) in enumerate(repeated)
    ]


def seconds(call: Callable[[], object]) -> float:
    """CPU seconds of one call: other work on the machine is not counted."""
    started = time.process_time()
    call()
    return time.process_time() - started


def compare(
    case: Case, subjects: Sequence[RationaleExample], pairs: int, corpus: BuildCorpus
) -> list[object]:
    """A line of the table.

    Raises SystemExit where the bare loop does something else.
    """
    questions = [one.question for one in subjects]
    if case.is_same and ours(case, subjects, corpus) != with_same_draws(
        case, subjects, questions
    ):
        raise SystemExit(f"{case.name}: the bare loop makes other texts")
    rates, same, usual, mapped = [], [], [], []
    for number in range(pairs):
        us, them = alternate(
            number,
            lambda: seconds(lambda: ours(case, subjects, corpus)),
            lambda: seconds(lambda: with_same_draws(case, subjects, questions)),
        )
        plain = seconds(lambda: with_random(case, subjects, questions))
        rates.append(len(subjects) / us)
        same.append(them / us)
        usual.append(plain / us)
        mapped.append(seconds(lambda: with_datasets(case, subjects, questions)) / us)
    return [
        case.name,
        spread(rates, ",.0f"),
        spread(same),
        spread(usual),
        spread(mapped),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--tokenizer", help="embedded or a folder: pieces too")
    args = parser.parse_args()
    disable_progress_bars()
    subjects = real_subjects(args.rows)
    words = sum(len(one.rationale.split()) for one in subjects) / len(subjects)
    print(
        f"{len(subjects)} rationales of {words:.1f} words, {args.pairs} pairs; {load()}",
        flush=True,
    )
    cases = CASES + ([piece_case(args.tokenizer)] if args.tokenizer else [])
    corpus = cast(BuildCorpus, None)  # none of these looks at it
    lines = [
        compare(case, subjects, args.pairs, corpus)
        for case in cases
        if args.only in case.name
    ]
    table(["transform", "rows/s", "÷ same draws", "÷ random", "÷ datasets.map"], lines)


if __name__ == "__main__":
    main()
