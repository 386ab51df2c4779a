"""What is known of a language: the words with which it states answers.

Words are lower-case. A word is also found with its accents apart (NFD), and as people
type it: ı as i, ё as е, أ as ا, ة as ه.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Words = tuple[str, ...]


def words(text: str) -> Words:
    """Split a row's words, which are separated by "|"."""
    return tuple(word.strip() for word in text.split("|"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Language:
    """How one language states an answer."""

    code: str
    """Of ISO 639, which ends the ids of the rules: answer_is:de."""
    name: str
    left_bound: bool = True
    """Whether a space or mark comes before a word; not so in Chinese and Japanese."""
    right_bound: bool = True
    """Whether a space or mark follows a word; a Korean particle follows directly."""
    decimal_comma: bool = False
    """Whether 3,5 is three and a half."""
    common: Words = ()
    """Short words by which the language is known. No English word is among them."""

    answer: Words
    """Nouns for the answer, with the prefixes and suffixes that they come with."""
    solution: Words = ()
    """Nouns that head the reasoning too, and so count only with a verb."""
    correct: Words
    """Correct, final, best: adjectives beside the noun."""
    wrong: Words
    """Wrong, false, beside the noun: another one is meant, unless a question asks so."""
    option: Words
    """Nouns before a label, such as "option"."""
    about: Words = ()
    """What may follow the noun: "to the question"."""
    articles: Words = ()
    """Before the noun."""
    copulas: Words
    """Between the noun and the answer, as in "the answer is"."""
    inverted: bool = False
    """Whether the verb may come before the noun: "Daher ist die Antwort B"."""
    bare: bool = False
    """Whether there may be no verb: "Cevap B", "उत्तर B है"."""
    tails: Words = ()
    """What follows the answer in its sentence and is no part of it: です."""
    is_answer: Words = ()
    """Predicates after an answer, beside copula and noun: "가 정답입니다"."""
    is_correct: Words = ()
    """The same without the noun, which count only if nothing stronger does."""
    choose: Words = ()
    """Verbs before a label that conclude: 故选."""
    pick: Words = ()
    """Verbs before a label that count only if nothing stronger does."""

    so: Words
    because: Words
    conditions: Words
    """If, unless, suppose."""
    examples: Words
    """For example: what follows is none of the text's own answer."""
    negations: Words
    denials: Words = ()
    """Negations that come behind the answer, where the verb does."""
    that: Words
    """Between "I do not think" and the answer."""
    limits: Words
    """At least, less than, between: before a number that is none then."""
    joins: Words
    """Or, and, to: between two answers, neither of which is the one."""
    yes: Words
    no: Words
    none: Words
    """Says that there is no answer, or no single one."""
    scales: Mapping[str, int] = field(default_factory=dict)
    """Scale words after a number, and their power of ten."""

    question_heads: Words
    """Heads of an invented next question."""
    rationale_heads: Words
    """Heads of the reasoning."""
