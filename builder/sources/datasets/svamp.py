"""SVAMP (Patel et al., 2021): 1,000 word problems in one file without splits.

The Answer of chal-680 differs from the result of its Equation; the target is the
published Answer.
"""

from cotbuild.builder.sources.base import BadRow, BadRowReason, KnownDataset, Row
from cotbuild.builder.sources.make import clean_field, clean_id, make_question
from cotbuild.builder.sources.targets import parse_number
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.record import short_repr

# The authors published nothing on the Hub. Papers load this copy, which its owner split
# into 700 and 300 rows.
REVISION = "5e0bf1e5e7c0e9c4bc39180d224f41f3f801b7ef"


def matches(row: Row) -> bool:
    """Return whether a file's first row has the published shape, also the Hub's."""
    return {"ID", "Body", "Question", "Answer"} <= row.keys()


def to_question(row: Row, ref: SourceRef) -> Question:
    """Return the question of a published row or a Hub row; raises BadRow.

    Its text is Body and Question, joined by a space.

    Published: {"ID": "chal-1", "Body": "Ann has 2 cups.", "Question": "How many?",
    "Equation": "2.0", "Answer": 2.0, …}

    Hub: the same with "Answer": "2".
    """
    target = parse_number(row.get("Answer"))
    if target is None:
        raise BadRow(
            BadRowReason.BAD_TARGET,
            f"Answer is {short_repr(row.get('Answer'))}, not a number.",
        )
    body = clean_field(row.get("Body"), "Body")
    question = clean_field(row.get("Question"), "Question")
    return make_question(
        clean_id(row.get("ID")),
        QuestionKind.NUMBER,
        f"{body} {question}",
        [],
        target,
        ref,
    )


KNOWN = KnownDataset(
    name="svamp",
    hub_id="ChilleD/SVAMP",
    config_name=None,
    revision=REVISION,
    splits=("train", "test"),
    licence="MIT",
    kind=QuestionKind.NUMBER,
    matches=matches,
    to_question=to_question,
    id_column="ID",
)
