"""SVAMP (Patel and others, 2021): 1,000 word problems, published as one file without
splits.

Dirt that is kept as it is: the Answer of chal-680 is not what its Equation gives. The
target is the published Answer.
"""

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.known import KnownDataset
from cotbuild.builder.sources.make import clean_field, clean_id, make_question
from cotbuild.builder.sources.targets import number
from cotbuild.schemas.question import Question, QuestionKind, SourceRef

# The authors put nothing on the Hub; this copy, split 700/300 by its maker, is the one
# that papers load.
REVISION = "5e0bf1e5e7c0e9c4bc39180d224f41f3f801b7ef"


def matches(row: Row) -> bool:
    """Whether a file's first row has the published shape, which the Hub's copy has too."""
    return {"ID", "Body", "Question", "Answer"} <= row.keys()


def to_question(row: Row, ref: SourceRef) -> Question:
    """One Question from a row of either form: Body and Question, joined by a space.
    Raises BadRow.

    Published: {"ID": "chal-1", "Body": "Ann has 2 cups.", "Question": "How many?",
    "Equation": "2.0", "Answer": 2.0, …} Hub: the same with "Answer": "2".
    """
    target = number(row.get("Answer"))
    if target is None:
        raise BadRow(
            BadRowReason.BAD_TARGET,
            f"Answer is {row.get('Answer')!r}, not a number.",
        )
    text = f"{clean_field(row.get('Body'), 'Body')} {clean_field(row.get('Question'), 'Question')}"
    return make_question(
        clean_id(row.get("ID")), QuestionKind.NUMBER, text, [], target, ref
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
