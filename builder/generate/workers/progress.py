"""Progress of a run, from the counts of its workers."""

import itertools
from collections.abc import Callable, Iterator

from cotbuild.builder.ui import ChainProgress
from cotbuild.schemas.rationale import Verdict
from cotbuild.schemas.work import WorkCounts


class WorkProgress:
    """Shows what the counts of all workers have grown by.

    They may also fall, where a unit goes to another worker, which counts anew: what was
    shown stays.

    Args:
        num_chains: Chains of the plan.
        show: Receives the progress, as of `Ui.asking`.
    """

    def __init__(self, num_chains: int, show: Callable[[ChainProgress], None]) -> None:
        self._num_chains = num_chains
        self._show = show
        self._shown = WorkCounts()
        self.num_finished = 0
        """Chains that were shown as finished."""

    def update(self, counts: WorkCounts, num_workers: int) -> None:
        """Show what is new."""
        before, after = self._shown, _highest(self._shown, counts)
        self._shown = after
        step = ChainProgress(
            completion_tokens=after.completion_tokens - before.completion_tokens,
            prompt_tokens=after.prompt_tokens - before.prompt_tokens,
            requests=after.requests - before.requests,
            servers_up=num_workers,
            servers=num_workers,
        )
        # Two workers may have finished the same chain.
        num_finished = min(after.chains, self._num_chains) - self.num_finished
        num_failed = after.failures - before.failures
        verdicts = _new_verdicts(before, after)
        for _ in range(num_finished):
            verdict = next(verdicts, None)
            has_failed = verdict is Verdict.UNSCORED and num_failed > 0
            num_failed -= has_failed
            self._show(
                step._replace(verdict=verdict, has_failed=has_failed, is_finished=True)
            )
            # What all of them took was shown with the first.
            step = step._replace(completion_tokens=0, prompt_tokens=0, requests=0)
        self.num_finished += num_finished
        if step.requests:
            self._show(step)


def _new_verdicts(before: WorkCounts, after: WorkCounts) -> Iterator[Verdict]:
    """Yield the verdict of each chain that was graded since."""
    for verdict in Verdict:
        num_before = before.verdicts.get(verdict.value, 0)
        num_new = after.verdicts.get(verdict.value, 0) - num_before
        yield from itertools.repeat(verdict, num_new)


def _highest(known: WorkCounts, found: WorkCounts) -> WorkCounts:
    """Return the higher of each two counts."""
    verdicts = {
        name: max(known.verdicts.get(name, 0), found.verdicts.get(name, 0))
        for name in {*known.verdicts, *found.verdicts}
    }
    return WorkCounts(
        requests=max(known.requests, found.requests),
        failures=max(known.failures, found.failures),
        chains=max(known.chains, found.chains),
        prompt_tokens=max(known.prompt_tokens, found.prompt_tokens),
        completion_tokens=max(known.completion_tokens, found.completion_tokens),
        verdicts=verdicts,
    )
