"""Ends a run whose teacher is broken before it spends hours on failures. No IO."""

from collections import Counter, deque

from cotbuild.builder.teachers.http.advice import advise_on_rejection
from cotbuild.schemas.completion import Answer, Failure
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.failure_messages import group_key

FIRST = 20
RECENT = 200


class EarlyStop:
    """Watches a run's answers and raises TeacherError once continuing is pointless.

    That is if the first 20 answers are all failures, or if more than half of the last
    200 are.

    `completed_before` is the number of completions that earlier runs received from this
    teacher. If there are any, the first rule does not apply, because a resumed run
    begins with what failed before.
    """

    def __init__(self, completed_before: int = 0) -> None:
        self._check_first = completed_before == 0
        self._num_seen = 0
        # A failure's message, or None for a completion.
        self._recent: deque[str | None] = deque(maxlen=RECENT)
        self._num_failed = 0  # of _recent

    def record(self, answer: Answer) -> None:
        """Record an answer, in the order in which they arrive.

        Raises TeacherError, with the counts and the most common failure message, if the
        run should end.
        """
        if len(self._recent) == RECENT and self._recent[0] is not None:
            self._num_failed -= 1
        if isinstance(answer, Failure):
            self._recent.append(answer.message)
            self._num_failed += 1
        else:
            self._recent.append(None)
        self._num_seen += 1
        if self._check_first and self._num_seen == self._num_failed == FIRST:
            raise self._stop_error(f"the first {FIRST} requests all failed")
        if self._num_seen >= RECENT and self._num_failed > RECENT / 2:
            raise self._stop_error(
                f"{self._num_failed} of the last {RECENT} requests failed"
            )

    def _stop_error(self, summary: str) -> TeacherError:
        messages = [message for message in self._recent if message is not None]
        counts = Counter(map(group_key, messages))
        [(common, count)] = counts.most_common(1)
        message = next(m for m in messages if group_key(m) == common)
        advice = advise_on_rejection(message) or "Correct the server or the request."
        return TeacherError(
            f"teacher: {summary}, {count} of them with {message!r}. {advice} The next run "
            "repeats every request that failed in this one."
        )
