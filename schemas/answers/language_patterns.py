"""Compile the words of a language into patterns, for folded text in lower case.

Every repeat is bounded, so a scan takes linear time.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from cotbuild.schemas.answers.folding import MARKS, fold
from cotbuild.schemas.answers.languages.language import Language
from cotbuild.schemas.answers.languages.table import LANGUAGES

WORD = rf"[\w{MARKS}]"
"""A character of a word."""
CLOSING = r"[ *_\"'`$)\]}>]{0,5}"
"""Markup and marks that may close behind a value."""
TYPED_AS = {
    "ı": "[ıi]",
    "ё": "[ёе]",
    "ß": "(?:ß|ss)",
    "أ": "[أاإ]",
    "إ": "[إاأ]",
    "آ": "[آا]",
    "ة": "[ةه]",
    "ى": "[ىي]",
}
"""Characters, and what people type for them."""


class LanguagePatterns(NamedTuple):
    """The patterns of one language; see `languages.language` for its words."""

    language: Language
    cue: re.Pattern[str]
    """The noun and what leads from it to the value: "answer is".

    Group `option` is a noun that counts only with an adjective beside it ("correct
    option"), `after` what follows the noun, `bare` is set if no verb or mark follows.
    """
    lead: re.Pattern[str]
    """What comes before the noun: "so the correct".

    Group `adjective` is the last adjective, `verb` an inverted verb.
    """
    solution: re.Pattern[str] | None
    """A noun that counts only with a verb."""
    wrong: re.Pattern[str]
    """Says before the noun that another one is meant, if the question does not."""
    choose: re.Pattern[str] | None
    weak: re.Pattern[str]
    """Before a value, in a form that counts only if nothing stronger does."""
    is_answer: re.Pattern[str] | None
    is_correct: re.Pattern[str] | None
    option_before: re.Pattern[str]
    """A noun for options or an article that comes before a label or an option's text."""
    negation: re.Pattern[str]
    denial: re.Pattern[str] | None
    condition: re.Pattern[str]
    example: re.Pattern[str]
    doubt: re.Pattern[str]
    """Before a cue: \"I do not think that\"."""
    limits: re.Pattern[str]
    so: re.Pattern[str]
    because: re.Pattern[str]
    joins: re.Pattern[str]
    tail: re.Pattern[str] | None
    """At the end of a clause, behind the value."""
    tail_head: re.Pattern[str] | None
    """Directly behind a label."""
    yes_no: re.Pattern[str]
    none: re.Pattern[str]
    scale: re.Pattern[str] | None
    scales: dict[str, int]


def join_words(words: Iterable[str]) -> str:
    """Return an alternation of words, longest first, in all forms they are typed in."""
    forms: dict[str, None] = {}
    for word in sorted(words, key=len, reverse=True):
        for form in spellings(word):
            forms[_as_typed(form)] = None
    return f"(?:{'|'.join(forms)})"


def spellings(word: str) -> tuple[str, str]:
    """Return a word as `folding.fold` leaves it, and with its accents apart."""
    folded = fold(unicodedata.normalize("NFC", word))
    return folded, unicodedata.normalize("NFD", folded)


def _as_typed(word: str) -> str:
    return "".join(TYPED_AS.get(char) or re.escape(char) for char in word)


class _Compiler:
    """Builds the patterns of one language from its words."""

    def __init__(self, language: Language) -> None:
        self.language = language
        spaced = language.left_bound
        self.left = rf"(?<!{WORD})" if spaced else ""
        self.right = rf"(?!{WORD})" if language.right_bound else ""
        self.gap = "[ *_]{1,3}" if spaced else "[ *_]{0,3}"
        self.glue = "[ *_]{1,4}" if language.right_bound else "[ *_]{0,4}"

    def bounded(self, words: Iterable[str]) -> str:
        """Return an alternation of words that are no part of longer ones."""
        return self.left + join_words(words) + self.right

    def optional(self, words: Iterable[str], gap: str, most: int = 1) -> str:
        """Return words that may come before something, each followed by `gap`."""
        words = tuple(words)
        return rf"(?:{self.bounded(words)}{gap}){{0,{most}}}" if words else ""

    def copulas(self) -> str:
        """Return the verbs. A Korean particle is part of the word before it."""
        words = self.language.copulas
        return self.bounded(words) if self.language.right_bound else join_words(words)

    def cue(self) -> str:
        language = self.language
        # A hyphen makes it another word: "Schritt-für-Schritt-Antwort".
        left = rf"(?<!{WORD})(?<!-)" if language.left_bound else ""
        nouns = (*language.answer, *language.solution)
        noun = rf"{left}(?P<noun>{join_words(nouns)}){self.right}"
        option = rf"{left}(?P<option>{join_words(language.option)}){self.right}"
        beside = self.bounded((*language.correct, *language.about))
        after = rf"(?P<after>(?:{self.gap}{beside}){{0,3}})"
        gloss = rf"(?: ?\((?!{WORD}{{1,2}}\))[^()\n]{{2,40}}\))?"
        marks = r"[*_\"' ]{0,4}(?:[:=]|\n)"
        copula = self.glue + self.copulas()
        says = rf"(?:{marks}|{copula}(?:{gloss}{marks})?| -(?= )|\](?:{copula}|{marks})? ?)"
        bare = r"(?P<bare>(?=[ *_]))" if language.bare or language.inverted else ""
        follows = rf"(?:{says}|{bare})" if bare else says
        return rf"(?:{noun}|{option}){after}{gloss}{follows}"

    def lead(self) -> str:
        language = self.language
        gap = r"[ *_,:\n]{1,4}" if language.left_bound else r"[ *_,:\n]{0,4}"
        so = self.optional(language.so, gap, 2)
        verb = ""
        if language.inverted:
            verb = rf"(?P<verb>{self.bounded(language.copulas)} )?"
        article = ""
        if language.articles:
            article = rf"(?:{self.left}{join_words(language.articles)}[ *_]{{0,3}})?"
        adjective = rf"(?P<adjective>{self.bounded(language.correct)}{self.gap}){{0,2}}"
        return rf"{so}{verb}{article}{adjective}\Z"

    def weak(self) -> str:
        language = self.language
        gap = "[ ,:]{1,3}" if language.right_bound else "[ ,:]{0,3}"
        forms = [rf"{self.bounded(language.so)}{gap}"]
        if language.right_bound:
            forms.append(
                rf"{self.bounded(language.so)}{gap}{self.bounded(language.copulas)} "
            )
        if language.pick:
            forms.append(self.bounded(language.pick) + "[ :]{0,2}")
        return "|".join(reversed(forms))

    def is_answer(self) -> str | None:
        """Return the pattern of "is the correct answer", which follows a label."""
        language = self.language
        forms = [join_words(language.is_answer)] if language.is_answer else []
        if language.right_bound and not language.bare:
            article = self.optional(language.articles, " ?")
            before = self.optional(language.correct, " ", 2)
            after = rf"(?: {self.bounded(language.correct)})?"
            noun = self.bounded((*language.answer, *language.option))
            forms.append(
                rf"{self.bounded(language.copulas)} {article}{before}{noun}{after}"
            )
        # A Japanese or Korean ending may close the text.
        return self._predicate(forms, rf"|{WORD}{{0,4}}[.。]?\s*\Z")

    def _predicate(self, forms: list[str], suffix: str = "") -> str | None:
        ends = rf"(?={CLOSING}(?:[.,;!\n。]|\Z){suffix})"
        return rf"{CLOSING}(?:{'|'.join(forms)}){ends}" if forms else None

    def is_correct(self) -> str | None:
        words = self.language.is_correct
        return self._predicate([join_words(words)] if words else [])

    def option_before(self) -> str:
        language = self.language
        article = ""
        if language.articles:
            article = rf"(?:{self.left}{join_words(language.articles)} ?)?"
        adjective = self.optional(language.correct, self.gap)
        option = rf"(?:{self.bounded(language.option)}[ *_:\"'(\[]{{0,4}})?"
        return rf"[ \n*_\"'(\[]{{0,6}}{article}{adjective}{option}"

    def doubt(self) -> str:
        negation, that = (
            self.bounded(self.language.negations),
            self.bounded(self.language.that),
        )
        return rf"{negation}(?:[ ,]{{0,2}}{WORD}{{1,15}}){{0,2}}[ ,]{{0,2}}{that}[ ,]{{0,2}}\Z"

    def yes_no(self) -> str:
        """Return the pattern of yes and no, longest first: 不正确 is not 正确."""
        language = self.language
        tails = rf"|{join_words(language.tails)}" if language.tails else ""
        ends = rf"(?=[\s.,;:!。*_)\]}}\"'\\$<-]|\Z{tails})"
        yes, no = join_words(language.yes), join_words(language.no)
        return rf"(?:(?P<no>{no}{ends})|(?P<yes>{yes}{ends}))"


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    return re.compile(pattern) if pattern else None


@cache  # at 20 ms each, only when a text needs it
def compile_language(language: Language) -> LanguagePatterns:
    build = _Compiler(language)
    tails = join_words(language.tails) if language.tails else None
    scales = join_words(language.scales) if language.scales else None
    choose = build.bounded(language.choose) if language.choose else None
    return LanguagePatterns(
        language=language,
        cue=re.compile(build.cue()),
        lead=re.compile(build.lead()),
        solution=_compiled(
            join_words(language.solution) if language.solution else None
        ),
        wrong=re.compile(join_words(language.wrong)),
        choose=_compiled(choose and choose + "[ :]{0,2}"),
        weak=re.compile(build.weak()),
        is_answer=_compiled(build.is_answer()),
        is_correct=_compiled(build.is_correct()),
        option_before=re.compile(build.option_before()),
        negation=re.compile(build.bounded(language.negations)),
        denial=_compiled(build.bounded(language.denials) if language.denials else None),
        condition=re.compile(build.bounded(language.conditions)),
        doubt=re.compile(build.doubt()),
        limits=re.compile(build.bounded(language.limits)),
        example=re.compile(build.bounded(language.examples)),
        so=re.compile(build.bounded(language.so)),
        because=re.compile(r"[,;]? ?" + build.bounded(language.because)),
        joins=re.compile(rf"{CLOSING}(?:[,/]|{build.bounded(language.joins)})"),
        tail=_compiled(tails and rf"{CLOSING}{tails}[ .,。]{{0,3}}\Z"),
        tail_head=_compiled(tails),
        yes_no=re.compile(build.yes_no()),
        none=re.compile(join_words(language.none)),
        # Not in 千克 and 千米, which are units.
        scale=_compiled(scales and rf"(?<=[0-9]) ?({scales})(?![克米瓦]){build.right}"),
        scales={
            form: power
            for word, power in language.scales.items()
            for form in spellings(word)
        },
    )


def _all(field: str) -> str:
    return join_words(
        {word for language in LANGUAGES for word in getattr(language, field)}
    )


QUESTION_HEADS = _all("question_heads")
RATIONALE_HEADS = _all("rationale_heads")
OWN_HEADS = frozenset(
    word.split()[0]
    for language in LANGUAGES
    for word in (
        *language.answer,
        *language.solution,
        *language.correct,
        *language.rationale_heads,
        *language.so,
        *language.examples,
    )
)
"""First words of heads within one answer, such as "réponse" and "solution"."""
_ENGLISH_WORDS = frozenset({"car", "da", "do", "want"})
BECAUSE_WORDS = join_words(
    {word for language in LANGUAGES for word in language.because} - _ENGLISH_WORDS
)
"""Without those that are English words, as it is used in texts of any language."""
