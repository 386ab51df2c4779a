"""The names of the fields in which an answer and its rationale are given as JSON.

Names are compared as `fold_name` leaves them: in lower case, without white space, `_`
and `-`. Those of other languages come from their table. Pure.
"""

import re
from collections.abc import Iterator

from cotbuild.schemas.answers.languages.language import Language
from cotbuild.schemas.answers.languages.table import LANGUAGES

ANSWER_FIELDS = (
    "finalanswer", "answer", "correctanswer", "bestanswer", "myanswer", "youranswer",
    "predictedanswer", "selectedanswer", "chosenanswer", "finalanswerletter",
    "finalanswerchoice", "correctanswerletter", "answerchoice", "answeroption",
    "answerlabel", "answerletter", "answertext", "answervalue", "answernumber",
    "answeridx", "answerindex",
)  # fmt: skip
"""Names of the answer's field, the first that there is counts."""
OTHER_ANSWER_FIELDS = (
    "finalchoice", "correctchoice", "selectedchoice", "choice", "correctoption",
    "selectedoption", "option", "predictedlabel", "label", "prediction", "finalresult",
    "result", "output", "response",
)  # fmt: skip
"""Names that often mean something else. They count in an object that has no field of
another meaning.
"""
RATIONALE_FIELDS = (
    "rationale", "reasoning", "explanation", "thought", "thoughts", "thinking", "cot",
    "chainofthought", "solution", "analysis", "steps", "stepbystep", "justification",
    "reason", "reasons", "thoughtprocess", "reasoningprocess", "thinkingprocess",
    "calculation", "calculations", "work",
)  # fmt: skip
"""Names of the rationale's field; the texts of several are joined."""
CONTAINERS = ("response", "result", "output", "arguments", "parameters", "data")
"""Names of fields whose object may hold the answer's field."""
SIDE_FIELDS = frozenset({"confidence", "certainty", "probability", "type", "id"})
"""Names that leave the meaning of the others as it is."""
QUESTION_FIELDS = frozenset({"question", "problem", "premise", "query"})
"""Names of the field of an invented next question."""
_RATIONALE_NAME = re.compile(
    r"(?:step|thought|reason)[0-9]{1,2}|.{0,30}(?:reasoning|explanation|rationale)s?+"
    r"|reasoningsteps"
)
"""Such as `step_1` and `answer_explanation`."""


def fold_name(name: str) -> str:
    """Return the name of a field in the form in which names are compared."""
    return "".join(char for char in name.casefold() if char.isalnum())


def is_answer_name(name: str) -> bool:
    """Return whether a folded name is that of an answer, in any language."""
    return name in ANSWER_FIELDS or name in _ANSWERS_IN_LANGUAGES


def is_rationale_name(name: str) -> bool:
    """Return whether a folded name is that of a rationale, in any language."""
    if name in RATIONALE_FIELDS or name in _RATIONALES_IN_LANGUAGES:
        return True
    return _RATIONALE_NAME.fullmatch(name) is not None


def _answer_names(language: Language) -> Iterator[str]:
    """Yield the nouns for the answer, alone and beside the adjectives for a correct one."""
    for noun in language.answer:
        yield fold_name(noun)
        for adjective in language.correct:
            yield fold_name(adjective + noun)
            yield fold_name(noun + adjective)


_ANSWERS_IN_LANGUAGES = frozenset(
    name for language in LANGUAGES for name in _answer_names(language)
)
_RATIONALES_IN_LANGUAGES = (
    frozenset(
        fold_name(head) for language in LANGUAGES for head in language.rationale_heads
    )
    - _ANSWERS_IN_LANGUAGES
)
