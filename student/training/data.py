"""Which rationales a student is trained on, and a digest of their rows."""

from collections.abc import Iterable

from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.variant import TrainingRow


def choose_rationales(
    rows: Iterable[TrainingRow], number: int | None
) -> list[list[TrainingRow]]:
    """The rows of the first `number` rationales by a digest of their ids, None: of all.

    The digest hangs on nothing else, so that every variant gets the same rationales,
    and more hold fewer. The rows of two tasks stay together.
    """
    found: dict[str, list[TrainingRow]] = {}
    for row in rows:
        found.setdefault(
            digest("rationale", [row.question_id, row.sample_index]), []
        ).append(row)
    return [found[key] for key in sorted(found)[:number]]


def rows_fingerprint(rows: Iterable[TrainingRow]) -> str:
    """Digest of rows in order, 64 hex digits."""
    return digest(
        "student rows/1", [digest("row", row.model_dump(mode="json")) for row in rows]
    )
