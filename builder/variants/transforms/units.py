"""What transforms move, mask and count: words, sentences, and pieces of a tokenizer.

Words and sentences are rejoined by single spaces, pieces by nothing. Offsets are into
the text as given.
"""

import re
import string
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import file_sha256

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# The Snowball project's English list, unaltered: algorithms/english/stop.txt of
# snowballstem/snowball-website at 8ee5cf948ac1. BSD-3-Clause, (c) 2001 Martin Porter,
# (c) 2002 Richard Boulton.
_SNOWBALL = """
i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its
itself they them their theirs themselves what which who whom this that these those am is are was were be been being
have has had having do does did doing would should could ought i'm you're he's she's it's we're they're i've you've
we've they've i'd you'd he'd she'd we'd they'd i'll you'll he'll she'll we'll they'll isn't aren't wasn't weren't
hasn't haven't hadn't doesn't don't didn't won't wouldn't shan't shouldn't can't cannot couldn't mustn't let's that's
who's what's here's there's when's where's why's how's a an the and but if or because as until while of at by for with
about against between into through during before after above below to from up down in out on off over under again
further then once here there when where why how all any both each few more most other some such no nor not only own
same so than too very
"""
STOP_WORDS = frozenset(_SNOWBALL.split())
"""English function words, as `bare` gives them."""

Split = Callable[[str], list[str]]

_WORD = re.compile(r"\S+")
# The look-behind keeps 100 KB of dots linear: a run of marks is tried from its first
# one only.
_END = re.compile(rf"(?<![.!?]){p.SENTENCE_END.pattern}")
_CLOSERS = re.compile(r"[\"')\]}>*_]*+")
_SPACE = re.compile(r"\s+")
_OPENERS = "\"'([{<*_"
_LONGEST_ABBREVIATION = 8  # characters looked back over


def words(text: str) -> list[str]:
    """Runs of non-space, whatever Unicode calls white space."""
    return text.split()


def word_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each of `words(text)`."""
    return [found.span() for found in _WORD.finditer(text)]


@lru_cache(maxsize=1 << 16)  # 0.05 µs for a word met before, 0.5-3 µs for a new one
def bare(word: str) -> str:
    """The word as it is compared: folded as `patterns.fold` and `str.casefold` do,
    without what is around its letters and digits; empty for punctuation alone. "Don’t!"
    → "don't", "C++" → "c".
    """
    low = p.fold(word).casefold()
    if low.isalnum():
        return low
    if low.isascii():
        return low.strip(string.punctuation + string.whitespace)
    start, end = 0, len(low)
    while start < end and not low[start].isalnum():
        start += 1
    while start < end and not (
        low[end - 1].isalnum() or unicodedata.category(low[end - 1])[0] == "M"
    ):
        end -= 1  # a combining mark belongs to the letter before it
    return low[start:end]


def sentences(text: str) -> list[str]:
    """The sentences, without the white space between them: joined by spaces they give
    all words in order.

    The rule is for English, and simple. A sentence ends at a newline; and at . ! ? and
    the quotes or brackets that close behind it, where white space and then a capital, a
    digit, or an opening quote or bracket follow. A single full stop does not end it
    behind the abbreviations of `patterns.ABBREVIATION`, which count every single letter
    as one: "J. K. Rowling", but also "option B. The".
    """
    cuts = [0, *_cuts(text), len(text)]
    found = [text[start:end].strip() for start, end in pairwise(cuts)]
    return [sentence for sentence in found if sentence]


def _cuts(text: str) -> list[int]:
    """Where a sentence ends and white space follows, or where a line ends."""
    view = p.fold(text)
    cuts = []
    for mark in _END.finditer(view):
        start, end = mark.span()
        if mark[0] == "\n":
            cuts.append(start)
            continue
        if mark[0] == "." and p.ABBREVIATION.search(
            view, max(0, start - _LONGEST_ABBREVIATION), start
        ):
            continue
        closed = _CLOSERS.match(view, end)
        end = closed.end() if closed else end
        gap = _SPACE.match(
            text, end
        )  # not in the view, which has spaces for zero-width characters inside of words
        if gap and _opens(view[gap.end() : gap.end() + 1]):
            cuts.append(end)
    return cuts


def _opens(char: str) -> bool:
    return char.isupper() or char.isdigit() or (char != "" and char in _OPENERS)


def share_of(share: float, count: int) -> int:
    """That share of `count`, rounded half up; exact for the decimal number that was
    written, 0.285 of 100 is 29.
    """
    over, under = _ratio(share)
    return (2 * over * count + under) // (2 * under)


@lru_cache(maxsize=256)
def _ratio(share: float) -> tuple[int, int]:
    return Fraction(repr(share)).as_integer_ratio()


@dataclass(frozen=True)
class TokenPieces:
    """The tokens of a tokenizer.json, which is read when first needed; can be sent to
    another process.
    """

    file: Path

    @classmethod
    def of(cls, tokenizer: str) -> "TokenPieces":
        """Of `VariantSpec.tokenizer`: embedded, or a folder.

        Raises ConfigError where it has no tokenizer.json.
        """
        from cotbuild.builder.storage.cache import (
            cache_dir,  # here: 0.3 s, which workers without pieces need not pay
        )
        from cotbuild.builder.teachers.vllm.embedded import embedded_folder

        embedded = tokenizer == "embedded"
        file = (
            embedded_folder(cache_dir()) if embedded else Path(tokenizer).expanduser()
        ) / "tokenizer.json"
        if not file.is_file():
            todo = (
                "Ask the embedded teacher once, which makes it."
                if embedded
                else "Save it with save_pretrained."
            )
            raise ConfigError(
                f"tokenizer {tokenizer!r}: {str(file)!r} is not there. Expected a fast tokenizer. {todo}"
            )
        return cls(file)

    @cached_property
    def digest(self) -> str:
        """sha256 of the file, 64 hex digits: all that decides what `split` returns."""
        try:
            return file_sha256(self.file)
        except OSError as fault:
            raise ConfigError(
                f"{self.file}: {fault.strerror}. Expected a tokenizer.json that can be read."
            ) from fault

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        try:
            from tokenizers import Tokenizer
        except ImportError as fault:
            raise ConfigError(
                "unit 'piece': no package tokenizers. Expected it installed. pip install it."
            ) from fault
        try:
            made = Tokenizer.from_file(str(self.file))
        except Exception as fault:
            if (
                type(fault) is not Exception
            ):  # which is what tokenizers raises for whatever is wrong with a file
                raise
            raise ConfigError(
                f"{self.file}: {fault}. Expected a tokenizer.json of the tokenizers library."
            ) from fault
        made.no_truncation()  # a file may ask for both
        made.no_padding()
        return made

    def split(self, text: str) -> list[str]:
        """Pieces that give `text` exactly when joined by nothing.

        Tokens that share a character, as the bytes of an emoji do, are one piece; what
        no token covers, such as white space that the tokenizer drops, goes with the
        next one, and at the end alone.
        """
        cuts, end = [0], 0
        for start, stop in self._tokenizer.encode(
            text, add_special_tokens=False
        ).offsets:
            if start >= end > cuts[-1]:
                cuts.append(end)
            end = max(end, stop)
        cuts += sorted({end, len(text)} - {cuts[-1]})
        return [text[start:stop] for start, stop in pairwise(cuts)]
