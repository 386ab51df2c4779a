"""The units that transforms move, mask and count: words, sentences and the pieces of a
tokenizer.

Words and sentences are joined again by single spaces, pieces by nothing. Offsets count
characters of the text as given.
"""

import re
import string
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache, wraps
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.prose_words import find_tokenizer
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import file_sha256

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# The Snowball project's English list, unaltered: algorithms/english/stop.txt of
# snowballstem/snowball-website at 8ee5cf948ac1. BSD-3-Clause, (c) 2001 Martin Porter,
# (c) 2002 Richard Boulton.
_SNOWBALL = """
i me my myself we our ours ourselves you your yours yourself yourselves he him his
himself she her hers herself it its itself they them their theirs themselves what which
who whom this that these those am is are was were be been being have has had having do
does did doing would should could ought i'm you're he's she's it's we're they're i've
you've we've they've i'd you'd he'd she'd we'd they'd i'll you'll he'll she'll we'll
they'll isn't aren't wasn't weren't hasn't haven't hadn't doesn't don't didn't won't
wouldn't shan't shouldn't can't cannot couldn't mustn't let's that's who's what's here's
there's when's where's why's how's a an the and but if or because as until while of at
by for with about against between into through during before after above below to from
up down in out on off over under again further then once here there when where why how
all any both each few more most other some such no nor not only own same so than too
very
"""
STOP_WORDS = frozenset(_SNOWBALL.split())
"""English function words, as `bare` returns them."""

MAX_CACHED_CHARS = 100
"""Longest word that `cache_short_words` remembers."""

MAX_CACHED_WORDS = 1 << 16

_Result = TypeVar("_Result")

Split = Callable[[str], list[str]]
"""Splits a text into units."""

_WORD = re.compile(r"\S+")
_CLOSERS = re.compile(r"[\"')\]}>*_]*+")
_SPACE = re.compile(r"\s+")
_OPENERS = "\"'([{<*_"
_LONGEST_ABBREVIATION = 8  # characters


def words(text: str) -> list[str]:
    """Split at white space, as Unicode defines it."""
    return text.split()


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return start and end of each of `words(text)`."""
    return [found.span() for found in _WORD.finditer(text)]


def is_mostly_unspaced(text: str) -> bool:
    """Return whether a text is mostly in a script without spaces between words.

    Such as Chinese, Japanese or Thai: `words` returns its clauses or sentences.
    """
    return not text.isascii() and find_tokenizer([text]) in ("zh", "char")


class _WordCache(dict[str, _Result]):
    """Word to what is computed of it, filled as words occur.

    A text may be one word, and thousands of those would fill the memory: words of more
    than MAX_CACHED_CHARS are computed each time. A full cache starts again.
    """

    def __init__(self, compute: Callable[[str], _Result]) -> None:
        self._compute = compute

    def __missing__(self, word: str) -> _Result:
        result = self._compute(word)
        if len(word) <= MAX_CACHED_CHARS:
            if len(self) >= MAX_CACHED_WORDS:
                self.clear()
            self[word] = result
        return result


def cache_short_words(compute: Callable[[str], _Result]) -> Callable[[str], _Result]:
    """Return `compute` with a cache for words of up to MAX_CACHED_CHARS."""
    look_up = _WordCache(compute).__getitem__

    @wraps(compute)
    def return_cached(word: str) -> _Result:
        return look_up(word)

    return return_cached


def bare(word: str) -> str:
    """Return the form in which words are compared.

    It is folded by `patterns.fold` and `str.casefold`, without what surrounds its
    letters and digits, and empty for punctuation alone: "Don’t!" gives "don't", "C++"
    gives "c".
    """
    return _BARE_FORMS[word]


def bare_forms(all_words: Iterable[str]) -> list[str]:
    """Return the form of each word in which they are compared; see `bare`."""
    return list(map(_BARE_FORMS.__getitem__, all_words))


def _bare(word: str) -> str:
    folded = p.fold(word).casefold()
    if folded.isalnum():
        return folded
    if folded.isascii():
        return folded.strip(string.punctuation + string.whitespace)
    start, end = 0, len(folded)
    while start < end and not folded[start].isalnum():
        start += 1
    while start < end and not _ends_word(folded[end - 1]):
        end -= 1
    return folded[start:end]


# 0.04 µs for a word it has, 0.5-3 µs for another.
_BARE_FORMS = _WordCache(_bare)


def _ends_word(char: str) -> bool:
    # A combining mark (category M) belongs to the letter before it.
    return char.isalnum() or unicodedata.category(char)[0] == "M"


def sentences(text: str) -> list[str]:
    """Split into sentences; joined by spaces they give all words in order.

    The rule is a simple one for English. A sentence ends at a newline. It also ends at
    . ! ? with the quotes or brackets that close after it, if white space and then a
    capital, a digit, or an opening quote or bracket follow. A single full stop does not
    end it after an abbreviation (`patterns.ABBREVIATION`). Every single letter counts
    as one: "J. K. Rowling", but also "option B. The".
    """
    bounds = [0, *_find_sentence_ends(text), len(text)]
    stripped = [text[start:end].strip() for start, end in pairwise(bounds)]
    return [sentence for sentence in stripped if sentence]


def _find_sentence_ends(text: str) -> list[int]:
    folded = p.fold(text)
    ends = []
    for mark in p.SENTENCE_END.finditer(folded):
        if mark[0] == "\n":
            ends.append(mark.start())
            continue
        look_back = max(0, mark.start() - _LONGEST_ABBREVIATION)
        if mark[0] == "." and p.ABBREVIATION.search(folded, look_back, mark.start()):
            continue
        closers = _CLOSERS.match(folded, mark.end())
        end = closers.end() if closers else mark.end()
        # Not in the folded text, which has spaces for zero-width characters in words.
        gap = _SPACE.match(text, end)
        if gap and _opens_sentence(folded[gap.end() : gap.end() + 1]):
            ends.append(end)
    return ends


def _opens_sentence(char: str) -> bool:
    return char.isupper() or char.isdigit() or (char != "" and char in _OPENERS)


def share_of(share: float, count: int) -> int:
    """Return that share of `count`, rounded half up.

    Exact for the decimal number that was written: 0.285 of 100 is 29.
    """
    numerator, denominator = _as_ratio(share)
    return (2 * numerator * count + denominator) // (2 * denominator)


@lru_cache(maxsize=256)
def _as_ratio(share: float) -> tuple[int, int]:
    return Fraction(repr(share)).as_integer_ratio()


@dataclass(frozen=True)
class TokenPieces:
    """The pieces of a tokenizer, whose tokenizer.json is read when first needed.

    It can be sent to another process.
    """

    file: Path

    @classmethod
    def of(cls, tokenizer: str) -> Self:
        """Find the tokenizer.json of `VariantSpec.tokenizer`: "embedded" or a folder.

        Raises ConfigError if there is none.
        """
        if tokenizer == "embedded":
            # Imported here: 0.3 s, which a process without pieces need not pay.
            from cotbuild.builder.storage.cache import cache_dir
            from cotbuild.builder.teachers.vllm.embedded import embedded_folder

            folder = embedded_folder(cache_dir())
            remedy = "Generate with the embedded teacher once, which creates it."
        else:
            folder = Path(tokenizer).expanduser()
            remedy = "Save a fast tokenizer there with save_pretrained."
        file = folder / "tokenizer.json"
        if not file.is_file():
            raise ConfigError(
                f"tokenizer {tokenizer!r}: no file {str(file)!r}. {remedy}"
            )
        return cls(file)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file, 64 hex digits; it decides what `split` returns.

        Raises ConfigError if the file cannot be read.
        """
        try:
            return file_sha256(self.file)
        except OSError as error:
            raise ConfigError(
                f"{self.file}: cannot be read: {error.strerror}."
            ) from error

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ConfigError(
                "unit 'piece': the package tokenizers is not installed. "
                "Run pip install tokenizers."
            ) from error
        try:
            tokenizer = Tokenizer.from_file(str(self.file))
        except Exception as error:
            # tokenizers raises a plain Exception for anything wrong with a file.
            if type(error) is not Exception:
                raise
            raise ConfigError(
                f"{self.file}: not a tokenizer.json of the tokenizers library: {error}."
            ) from error
        tokenizer.no_truncation()  # the file may declare both
        tokenizer.no_padding()
        return tokenizer

    def split(self, text: str) -> list[str]:
        """Split into pieces that give exactly `text` when joined by nothing.

        Tokens that share a character, such as the bytes of an emoji, are one piece.
        Text that no token covers, such as white space that the tokenizer drops, belongs
        to the next piece, and at the end is a piece of its own.
        """
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        cuts, end = [0], 0
        for start, stop in encoding.offsets:
            if start >= end > cuts[-1]:
                cuts.append(end)
            end = max(end, stop)
        cuts += sorted({end, len(text)} - {cuts[-1]})
        return [text[start:stop] for start, stop in pairwise(cuts)]
