"""What the steps of chains add to the progress that a run shows."""

import time
from collections.abc import Callable

from cotbuild.builder.generate.chains import Chain, FinishedChain, grade_chain
from cotbuild.builder.teachers.base import Servers
from cotbuild.builder.ui import ChainProgress
from cotbuild.schemas.answers.grade import GradingRules
from cotbuild.schemas.completion import Answer, Completion
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Verdict

ALWAYS_GRADED = 64
"""First chains of a run, each of which is graded for the progress."""
MAX_GRADING_FRAC = 0.02
"""Share of the time of a run that grading for the progress may take after them."""


class ProgressMeter:
    """Counts steps, and grades finished chains as long as that costs little time.

    Every chain is graded when the rows are derived. The verdicts that a run shows before
    are those of all chains, unless answers come faster than they can be graded beside
    the asking: grading takes about as long as all the rest of a request.

    Args:
        grading: The rules of grading.
        clock: Returns seconds that only grow.
    """

    def __init__(
        self, grading: GradingRules, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._grading = grading
        self._clock = clock
        self._num_graded = 0
        self._grading_s = 0.0
        self._started_s = clock()

    def measure(
        self,
        chain: Chain,
        answer: Answer | None,
        in_flight: int | None = None,
        servers: Servers | None = None,
    ) -> ChainProgress:
        """Return what a step adds to the progress of a run.

        Args:
            chain: The chain after the step.
            answer: The teacher's answer to the step; None where it was stored already.
            in_flight: Requests under way after the step.
            servers: The servers of the teacher.
        """
        prompt_tokens = completion_tokens = 0
        if isinstance(answer, Completion):
            prompt_tokens = answer.prompt_tokens or 0
            completion_tokens = answer.completion_tokens or 0
        finished = chain.finished
        return ChainProgress(
            completion_tokens,
            None if finished is None else self._verdict(chain.question, finished),
            prompt_tokens,
            requests=int(answer is not None),
            has_failed=finished is not None and finished.failure is not None,
            in_flight=in_flight,
            servers_up=None if servers is None else servers.up,
            servers=None if servers is None else servers.total,
            is_finished=finished is not None,
        )

    def _verdict(self, question: Question, finished: FinishedChain) -> Verdict | None:
        """Return the verdict of a finished chain; None where there is no time for it."""
        began_s = self._clock()
        if not self._may_grade(began_s):
            return None
        graded = grade_chain(question, finished, self._grading, flags=False)
        self._num_graded += 1
        self._grading_s += self._clock() - began_s
        return graded.verdict

    def _may_grade(self, now_s: float) -> bool:
        if self._num_graded < ALWAYS_GRADED:
            return True
        return self._grading_s <= MAX_GRADING_FRAC * (now_s - self._started_s)
