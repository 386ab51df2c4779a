"""Progress from the counts of workers: what was shown once stays, whatever falls."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.generate.workers.progress import WorkProgress
from cotbuild.builder.ui import ChainProgress
from cotbuild.schemas.rationale import Verdict
from cotbuild.schemas.work import WorkCounts

NUM_CHAINS = 20
small = st.integers(0, 30)
counts = st.builds(
    WorkCounts,
    requests=small,
    failures=st.integers(0, 3),
    chains=small,
    prompt_tokens=small,
    completion_tokens=small,
    verdicts=st.dictionaries(
        st.sampled_from([verdict.value for verdict in Verdict]), st.integers(0, 5)
    ),
)


@given(st.lists(counts, min_size=1, max_size=6))
def test_what_is_shown_adds_up_to_the_highest_counts(found: list[WorkCounts]) -> None:
    shown: list[ChainProgress] = []
    progress = WorkProgress(NUM_CHAINS, shown.append)
    for one in found:
        progress.update(one, num_workers=2)
    assert progress.num_finished == sum(step.ends_chain for step in shown)
    assert progress.num_finished == min(max(one.chains for one in found), NUM_CHAINS)
    assert sum(step.requests for step in shown) <= max(one.requests for one in found)
    assert all(step.servers_up == 2 for step in shown)


def test_each_finished_chain_is_shown_with_a_verdict_while_there_are_any() -> None:
    shown: list[ChainProgress] = []
    progress = WorkProgress(NUM_CHAINS, shown.append)
    first = WorkCounts(
        requests=5,
        failures=1,
        chains=4,
        prompt_tokens=50,
        completion_tokens=20,
        verdicts={"correct": 2, "unscored": 1},
    )
    progress.update(first, 1)
    progress.update(first, 1)
    assert len(shown) == 4
    assert Counter(step.verdict for step in shown) == {
        Verdict.CORRECT: 2,
        Verdict.UNSCORED: 1,
        None: 1,
    }
    assert [step.has_failed for step in shown].count(True) == 1
    assert (shown[0].requests, shown[0].completion_tokens) == (5, 20)
    assert sum(step.requests for step in shown) == 5
    # Another worker took the unit over and counts anew.
    progress.update(WorkCounts(requests=1, chains=1), 1)
    assert len(shown) == 4
    progress.update(first.plus(WorkCounts(requests=2)), 1)
    assert shown[4] == ChainProgress(requests=2, servers_up=1, servers=1)
