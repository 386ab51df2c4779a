"""Tell which languages a text may be in, and read their yes and no. Pure.

Nearly every text is English, so a few scans for literal words come before patterns.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from cotbuild.schemas.answers.language_patterns import (
    TYPED_AS,
    WORD,
    LanguagePatterns,
    compile_language,
    spellings,
)
from cotbuild.schemas.answers.languages.language import Language
from cotbuild.schemas.answers.languages.table import LANGUAGES
from cotbuild.schemas.question import Question

_LIKELY_CHARS = 4000
"""How much of a text is looked at to tell its language."""
_WORD = re.compile(rf"{WORD}+")


class _Stems(NamedTuple):
    """Words of which one is in every text that states an answer in a strong form."""

    language: Language
    nouns: tuple[str, ...]
    options: tuple[str, ...]
    """These count only with one of `adjectives`: "option" alone is English too."""
    adjectives: tuple[str, ...]


def _find_stems(language: Language, *, ascii_only: bool) -> _Stems:
    nouns = (
        *language.answer,
        *language.solution,
        *language.choose,
        *language.is_answer,
    )
    return _Stems(
        language,
        _shortest_stems(nouns, ascii_only),
        _shortest_stems(language.option, ascii_only),
        _shortest_stems(language.correct, ascii_only),
    )


def _shortest_stems(words: Iterable[str], ascii_only: bool) -> tuple[str, ...]:
    stems: set[str] = set()
    for word in words:
        for form in spellings(word):
            stem = form.replace("ı", "i") if ascii_only else _longest_piece(form)
            if stem.isascii() or not ascii_only:
                stems.add(stem)
    return tuple(
        stem
        for stem in sorted(stems)
        if not any(other != stem and other in stem for other in stems)
    )


def _longest_piece(word: str) -> str:
    """Return the longest piece of a word that is typed in one way."""
    pieces = re.split("[" + "".join(TYPED_AS) + "]", word)
    return max(pieces, key=len).strip()


_STEMS = tuple(_find_stems(language, ascii_only=False) for language in LANGUAGES)
_ASCII_STEMS = tuple(
    stems
    for stems in (_find_stems(language, ascii_only=True) for language in LANGUAGES)
    if stems.nouns or stems.options
)
_ENGLISH_STEMS = ("option", "proposition")
_ASCII_WORDS = tuple(
    {word for stems in _ASCII_STEMS for word in (*stems.nouns, *stems.options)}
    - set(_ENGLISH_STEMS)
)
_BESIDE_ENGLISH = tuple(
    {
        word
        for language in LANGUAGES
        if not set(_ENGLISH_STEMS).isdisjoint(language.option)
        for word in language.correct
        if word.isascii()
    }
    - {"correct", "finale"}  # English words, too
)
"""In every ASCII text that states an answer in another language is one of the words, or
one of these beside "option".
"""
_FOREIGN_LETTER = re.compile(
    "[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u036f\u0400-\u1fff\u3040-\ud7ff]"
)


@lru_cache(maxsize=4)  # a text is asked for by several rules
def find_languages_of_nouns(low: str) -> tuple[LanguagePatterns, ...]:
    """Return the languages of which a noun or predicate for the answer is in a text."""
    is_plain = low.isascii() or _FOREIGN_LETTER.search(low) is None
    if is_plain and not _has_any(low, _ASCII_WORDS):
        has_option = _has_any(low, _ENGLISH_STEMS)
        if not (has_option and _has_any(low, _BESIDE_ENGLISH)):
            return ()  # as nearly every English text
    found = []
    for stems in _ASCII_STEMS if is_plain else _STEMS:
        has_noun = _has_any(low, stems.nouns)
        if has_noun or (
            _has_any(low, stems.options) and _has_any(low, stems.adjectives)
        ):
            found.append(compile_language(stems.language))
    return tuple(found)


def _has_any(low: str, words: tuple[str, ...]) -> bool:
    for word in words:  # noqa: SIM110, any() takes three times as long
        if word in low:
            return True
    return False


def find_likely_languages(
    text: str, question: Question
) -> tuple[LanguagePatterns, ...]:
    """Return the languages of which a text and its question have at least two common words."""
    return _languages_of_words(f"{question.text}\n{text[:_LIKELY_CHARS]}".lower())


@lru_cache(maxsize=64)  # the samples of one question come one after the other
def _languages_of_words(low: str) -> tuple[LanguagePatterns, ...]:
    words = set(_WORD.findall(low))
    likely = []
    for language in LANGUAGES:
        if language.right_bound:
            hits = len(words.intersection(language.common))
        elif low.isascii():
            continue
        else:
            hits = sum(word in low for word in language.common)
        if hits >= 2:
            likely.append(compile_language(language))
    return tuple(likely)


_STANDS_ALONE = re.compile(r"[*_\"')\]]{0,4}(?:[.,;:!。\n-]|\s*\Z| -)")
_YES_NO_WORDS = tuple(
    {
        form
        for language in LANGUAGES
        for word in (*language.yes, *language.no)
        for form in spellings(word)
    }
    - {"no"}
)


def stands_alone(text: str, end: int, question: Question) -> bool:
    """Return whether an English yes or no that ends at `end` is surely one.

    In the Portuguese "No Brasil" it is none.
    """
    if _STANDS_ALONE.match(text, end):
        return True
    return not find_likely_languages(text, question)


def match_yes_no(text: str, start: int, question: Question) -> tuple[str, int] | None:
    """Return yes or no at `start` in a language of the text or question, and its end.

    Only a word that a mark or a reason follows: "Ja, weil". English "no" is not one.
    """
    low = text[:_LIKELY_CHARS].lower()
    if not low.startswith(_YES_NO_WORDS, start):
        return None
    for patterns in find_likely_languages(text, question):
        found = patterns.yes_no.match(low, start)
        if found is None:
            continue
        is_apart = _STANDS_ALONE.match(low, found.end())
        if is_apart or patterns.because.match(low, found.end()):
            return ("yes" if found["yes"] else "no"), found.end()
    return None
