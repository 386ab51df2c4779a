"""Plans: chains in order, seeds that depend on nothing but the question, each key once."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.generate.chains import (
    Chain,
    ChainRules,
    Step,
    request_seed,
)
from cotbuild.builder.generate.follow import (
    follow_chain,
    follow_chains,
    start_chain,
)
from cotbuild.builder.generate.plan import make_plan, open_chains
from cotbuild.prompts.defaults import (
    load_templates,
)
from cotbuild.schemas.completion import (
    MAX_SEED,
    Answer,
    Completion,
    Failure,
    FailureKind,
    Request,
    Sampling,
)
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.rationale import Purpose


def ask(name: str, text: str = "Why?") -> Question:
    source = SourceRef(
        dataset="d", config_name=None, split="train", revision=None, row=0
    )
    return Question(
        id=name,
        kind=QuestionKind.TEXT,
        text=text,
        choices=(),
        target=None,
        other_targets=(),
        source=source,
    )


def elicit(temperature: float = 0.7, **settings: Any) -> ChainRules:
    config = BuildConfig(sampling=Sampling(temperature=temperature), **settings)
    return ChainRules(config, "t", {Purpose.ELICIT: load_templates([])})


def first_step(rules: ChainRules, question: Question) -> Step:
    step = start_chain(rules, question, 0).open_step
    assert step is not None
    return step


def opened(chains: Iterable[Chain]) -> list[Request]:
    return [chain.open_step.request for chain in chains if chain.open_step]


def complete(request: Request) -> Completion:
    return Completion(request_key=request.request_key, text="so", finish_reason="stop")


def no_answer(_: str) -> None:
    """A lookup in an empty store."""


def two_steps() -> ChainRules:
    """Rules under which every answer is followed by a choice."""
    return elicit(decode="choice")


@given(st.integers(0, MAX_SEED), st.text(min_size=1), st.integers(0, 1000))
def test_seeds_are_what_vllm_takes(
    build_seed: int, question_id: str, sample_index: int
) -> None:
    assert 0 <= request_seed(build_seed, question_id, sample_index) <= MAX_SEED


def test_seeds_are_what_they_always_were() -> None:
    assert [request_seed(0, "q", i) for i in range(2)] == [
        7193654473385345,
        8844164128041395,
    ]


def test_at_temperature_0_no_seed_is_sent() -> None:
    assert first_step(elicit(temperature=0), ask("q")).request.seed is None


def test_samples_of_a_question_differ_by_their_seed_alone() -> None:
    chains = list(follow_chains(elicit(samples=3), [ask("q")], no_answer))
    requests = opened(chains)
    assert len({request.request_key for request in requests}) == 3
    assert len({request.messages for request in requests}) == 1


def test_reordering_and_dropping_questions_changes_no_key() -> None:
    def keys(names: str) -> dict[str, str]:
        chains = follow_chains(
            elicit(), [ask(name, f"Why {name}?") for name in names], no_answer
        )
        return {
            chain.question.id: chain.open_step.request.request_key
            for chain in chains
            if chain.open_step
        }

    assert keys("cab") == {
        name: key for name, key in keys("abcd").items() if name != "d"
    }


def test_chains_go_as_far_as_there_are_answers() -> None:
    rules, answers = two_steps(), dict[str, Answer]()
    for number in range(2):
        [request] = opened([follow_chain(rules, ask("q"), 0, answers.get)])
        assert number == len(answers)
        answers[request.request_key] = complete(request)
    done = follow_chain(rules, ask("q"), 0, answers.get)
    assert done.open_step is None
    assert done.finished is not None
    assert (done.finished.rationale, done.finished.choice) == done.answered
    assert [step.answer for step in done.answered] == list(answers.values())


def test_a_failure_ends_a_chain() -> None:
    [request] = opened([follow_chain(two_steps(), ask("q"), 0, no_answer)])
    failure = Failure(
        request_key=request.request_key, kind=FailureKind.REJECTED, message="no"
    )
    ended = follow_chain(two_steps(), ask("q"), 0, lambda _: failure)
    assert ended.open_step is None
    assert ended.finished is not None
    assert ended.finished.failure == failure
    assert [step.answer for step in ended.answered] == [failure]


@pytest.mark.parametrize(
    ("names", "distinct"),
    [("", 0), ("a", 1), ("abc", 3), ("aab", 2), ("aaaa", 1), ("abab", 2)],
)
def test_two_rows_with_one_key_are_asked_once(names: str, distinct: int) -> None:
    mode = elicit(temperature=0)  # without seeds, equal questions have equal keys
    questions = [ask(str(i), f"Why {name}?") for i, name in enumerate(names)]
    chains = list(follow_chains(mode, questions, no_answer))
    plan = make_plan(chains)
    assert (plan.num_chains, plan.num_open_chains, plan.num_open) == (
        len(names),
        len(names),
        distinct,
    )
    asked = opened(open_chains(chains, plan.repeats))
    assert len(asked) == len({request.request_key for request in asked}) == distinct


def test_the_longest_open_request_is_kept_for_the_check_before_the_first() -> None:
    chains = list(
        follow_chains(elicit(), [ask("a"), ask("b", "Why " * 50), ask("c")], no_answer)
    )
    plan = make_plan(chains)
    assert plan.longest_id == "b"
    assert plan.first == opened(chains)[0]


def test_a_plan_holds_the_open_chains_of_a_small_build_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chains = list(follow_chains(elicit(), [ask("a"), ask("b"), ask("c")], no_answer))
    assert make_plan(chains).take_held() is None
    plan = make_plan(chains, hold=True)
    held = plan.take_held()
    assert held is not None
    assert list(held) == chains
    assert plan.take_held() is None
    monkeypatch.setattr("cotbuild.builder.generate.plan.MAX_HELD_CHAINS", 2)
    assert make_plan(chains, hold=True).take_held() is None
