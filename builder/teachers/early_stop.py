"""Stops a run whose teacher is broken before it has spent hours on failures. Pure."""

from collections import Counter, deque

from cotbuild.schemas.completion import Answer, Failure
from cotbuild.schemas.errors import TeacherError

FIRST = 20
RECENT = 200


class EarlyStop:
    """Sees every answer in the order they finish; `note` raises TeacherError once going
    on makes no sense.

    That is when the first 20 all failed, or more than half of the last 200.
    `completed_before`: completions that earlier runs had from this teacher. Where there
    are some, the first rule rests: a resumed run begins with what failed before.
    """

    def __init__(self, completed_before: int = 0) -> None:
        self._first_rule = completed_before == 0
        self._num_seen = 0
        self._recent: deque[str | None] = deque(
            maxlen=RECENT
        )  # a failure's message; None: a completion
        self._num_failed = 0  # of _recent

    def note(self, answer: Answer) -> None:
        """Take one answer in; raises TeacherError with the counts and the commonest
        failure's own words.
        """
        if len(self._recent) == RECENT and self._recent[0] is not None:
            self._num_failed -= 1
        self._recent.append(answer.message if isinstance(answer, Failure) else None)
        self._num_failed += isinstance(answer, Failure)
        self._num_seen += 1
        if self._first_rule and self._num_seen == self._num_failed == FIRST:
            raise self._error(f"the first {FIRST} requests all failed")
        if self._num_seen >= RECENT and self._num_failed > RECENT / 2:
            raise self._error(
                f"{self._num_failed} of the last {RECENT} requests failed"
            )

    def _error(self, what: str) -> TeacherError:
        [(words, times)] = Counter(
            m for m in self._recent if m is not None
        ).most_common(1)
        return TeacherError(
            f"teacher: {what}, {times} of them with {words!r}. "
            "Correct the server or the request; a new run goes on where this one stopped."
        )
