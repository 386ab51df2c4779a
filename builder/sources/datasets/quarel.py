"""QuaRel (Tafjord et al., 2019): two choices, written inside the question's text."""

import re

from cotbuild.builder.sources.base import BadRow, BadRowReason, KnownDataset, Row
from cotbuild.builder.sources.make import clean_field, clean_id, make_question
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.record import short_repr

# The commit "Convert dataset to Parquet (#4)" of main on the Hub: `datasets` 4 and
# later cannot read earlier ones.
REVISION = "52be7f062d2c13d401a9e53b6963d8fbcc4abeb4"

# The first (A), and the first (B) after it: atomic, since a later (A) has no other (B).
_PARTS = re.compile(r"(?>(.*?)\(A\))(.*?)\(B\)(.*)", re.DOTALL)
# Words and punctuation that join the two choices in a sentence and belong to neither: a
# final "." or "?", and "or", "or the", "or in the".
# The look-behinds keep it linear: a run of either is tried from its first character only.
_CONNECTIVE = re.compile(
    r"(?<!\s)\s+or(?:\s+(?:in|on|the|a|an))*[\s.,;:?!/]*$|(?<![\s.,;:?!/])[\s.,;:?!/]*$"
)


def matches(row: Row) -> bool:
    """Return whether a file's first row has the Hub's shape or the (A) … (B) … shape."""
    text = row.get("question")
    if not isinstance(text, str) or "choices" in row or not _PARTS.fullmatch(text):
        return False
    return "answer_index" in row or row.get("answer") in ("(A)", "(B)")


def to_question(row: Row, ref: SourceRef) -> Question:
    """Return the question of a row of either form; raises BadRow.

    Published by the rationale-distillation work around the paper, one JSON object keyed
    "0", "1", …: {"question": "Tea is _____ than ice (A) warmer or (B) colder.",
    "rationale": "dummy", "answer": "(A)"}; rows have no id.

    Official and Hub: {"id": "Q1", "question": "Tea is _____ than ice (A) warmer or (B)
    colder.", "answer_index": 0, …}

    The question's text is the part before (A). Connectives are cut off the choices:
    outer white space, a final . , ; : ? ! or /, and a final "or", "or the", "or in
    the". Blanks (_____) and inner spaces stay.
    """
    text = clean_field(row.get("question"), "question")
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise BadRow(
            BadRowReason.BAD_CHOICES,
            f"question is {short_repr(text)}. Expected its choices in it, as (A) … (B) ….",
        )
    stem, first, second = parts.groups()
    return make_question(
        clean_id(row["id"]) if "id" in row else None,
        QuestionKind.CHOICE,
        clean_field(stem, "question before (A)"),
        [("A", _clean_choice(first)), ("B", _clean_choice(second))],
        _parse_target(row),
        ref,
    )


def _clean_choice(text: str) -> str:
    # Twice, since there may be punctuation on either side of the "or".
    for _ in range(2):
        text = _CONNECTIVE.sub("", text)
    return clean_field(text, "choice")


def _parse_target(row: Row) -> str:
    answer = row["answer_index"] if "answer_index" in row else row.get("answer")
    for form, label in ((0, "A"), (1, "B"), ("(A)", "A"), ("(B)", "B")):
        is_same_type = type(answer) is type(form)  # True is not 1 here
        if is_same_type and answer == form:
            return label
    raise BadRow(
        BadRowReason.BAD_TARGET,
        f"answer is {short_repr(answer)}. Expected '(A)', '(B)', or answer_index 0 or 1.",
    )


KNOWN = KnownDataset(
    name="quarel",
    hub_id="community-datasets/quarel",
    config_name=None,
    revision=REVISION,
    splits=("train", "validation", "test"),
    licence="CC BY 4.0",
    kind=QuestionKind.CHOICE,
    matches=matches,
    to_question=to_question,
)
