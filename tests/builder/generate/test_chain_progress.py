"""What a run shows of its chains: every one counted, graded as long as that is cheap."""

from cotbuild.builder.events.event_ui import AskingProgress
from cotbuild.builder.generate.chain_progress import (
    ALWAYS_GRADED,
    MAX_GRADING_FRAC,
    ProgressMeter,
)
from cotbuild.builder.generate.follow import start_chain
from cotbuild.builder.teachers.base import Servers
from cotbuild.builder.terminal import ChainCounts
from cotbuild.builder.ui import ChainProgress
from cotbuild.schemas.answers.grade import PLAIN_GRADING
from cotbuild.schemas.rationale import Verdict
from tests.builder.generate.test_chain_modes import RIGHT, WRONG, asking, follow
from tests.schemas.test_records import question


class Ticks:
    """A clock that goes on by one second whenever it is read."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def test_a_step_counts_tokens_and_a_finished_chain_has_a_verdict() -> None:
    rules = asking()
    meter = ProgressMeter(PLAIN_GRADING)
    for text, verdict in ((RIGHT, Verdict.CORRECT), (WRONG, Verdict.INCORRECT)):
        chain = follow(rules, [text])
        step = meter.measure(chain, chain.answered[-1].answer)
        assert (step.verdict, step.requests, step.ends_chain) == (verdict, 1, True)
    open_chain = start_chain(rules, question(), 0)
    step = meter.measure(open_chain, None, 7, Servers(up=1, total=2))
    assert (step.verdict, step.requests, step.ends_chain) == (None, 0, False)
    assert (step.in_flight, step.servers_up, step.servers) == (7, 1, 2)


def test_all_are_counted_and_the_first_are_always_graded() -> None:
    chain = follow(asking(), [RIGHT])
    # Grading takes one of three readings of the clock, which is above the share.
    meter = ProgressMeter(PLAIN_GRADING, Ticks())
    steps = [meter.measure(chain, None) for _ in range(3 * ALWAYS_GRADED)]
    assert all(step.ends_chain for step in steps)
    assert all(step.verdict is Verdict.CORRECT for step in steps[:ALWAYS_GRADED])
    assert steps[ALWAYS_GRADED].verdict is None


def test_grading_keeps_to_its_share_of_the_time() -> None:
    chain, clock = follow(asking(), [RIGHT]), Ticks()
    meter = ProgressMeter(PLAIN_GRADING, clock)
    steps = [meter.measure(chain, None) for _ in range(100 * ALWAYS_GRADED)]
    num_graded = sum(step.verdict is not None for step in steps)
    assert ALWAYS_GRADED < num_graded < len(steps)
    assert num_graded - 1 <= MAX_GRADING_FRAC * clock.now_s


def test_what_was_not_graded_is_done_and_the_line_says_so() -> None:
    counts, progress = ChainCounts(4, started=0.0), AskingProgress(4, started_s=0.0)
    for verdict in (Verdict.CORRECT, None, None):
        step = ChainProgress(10, verdict, is_finished=True)
        counts.add(step)
        progress.add(step, 1.0)
    shown = "3/4 · of 1 graded so far: correct 1 · 15 tok/s · 0:01 left"
    assert counts.line(2.0) == shown
    event = progress.event(2.0)
    assert (event.done, event.verdicts) == (3, {"correct": 1})
