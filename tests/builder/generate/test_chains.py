"""Plans: chains in order, seeds that depend on nothing but the question, each key once."""

from collections.abc import Iterable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.generate.chains import (
    Chain,
    Ending,
    Script,
    Step,
    make_plan,
    open_requests,
    walk,
    walk_all,
)
from cotbuild.builder.generate.modes import ChainRules, request_seed
from cotbuild.prompts.template import load_templates
from cotbuild.schemas.answers.grade import grade_completion
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


def elicit(temperature: float = 0.7, samples: int = 1, seed: int = 0) -> ChainRules:
    config = BuildConfig(
        sampling=Sampling(temperature=temperature), samples=samples, seed=seed
    )
    return ChainRules(config, "t", {Purpose.ELICIT: load_templates([])})


def first_step(mode: ChainRules, question: Question) -> Step:
    return next(mode.script(question, 0))


def opened(chains: Iterable[Chain]) -> list[Request]:
    return [chain.open.request for chain in chains if chain.open]


def complete(request: Request) -> Completion:
    return Completion(request_key=request.request_key, text="so", finish_reason="stop")


def no_answer(_: str) -> None:
    """A lookup in an empty store."""


class TwoSteps:
    """A mode that asks again, with the first answer shown: what later modes do."""

    ref, samples = "two@1", 1

    def script(self, question: Question, sample_index: int) -> Script:  # noqa: ARG002
        step = numbered(question, 0)
        yield step
        step = numbered(question, 1)
        said = yield step
        return Ending(step, partial(grade_completion, question, said.text))


def numbered(question: Question, number: int) -> Step:
    return first_step(elicit(), ask(question.id, f"{question.text} {number}"))


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
    chains = list(walk_all(elicit(samples=3), [ask("q")], no_answer))
    requests = opened(chains)
    assert len({request.request_key for request in requests}) == 3
    assert len({request.messages for request in requests}) == 1


def test_reordering_and_dropping_questions_changes_no_key() -> None:
    def keys(names: str) -> dict[str, str]:
        chains = walk_all(
            elicit(), [ask(name, f"Why {name}?") for name in names], no_answer
        )
        return {
            chain.question.id: chain.open.request.request_key
            for chain in chains
            if chain.open
        }

    assert keys("cab") == {
        name: key for name, key in keys("abcd").items() if name != "d"
    }


def test_chains_go_as_far_as_there_are_answers() -> None:
    mode, answers = TwoSteps(), dict[str, Answer]()
    for number in range(2):
        [request] = opened([walk(mode, ask("q"), 0, answers.get)])
        assert number == len(answers)
        answers[request.request_key] = complete(request)
    done = walk(mode, ask("q"), 0, answers.get)
    assert done.open is None
    assert done.ending is not None
    assert done.ending.step is done.taken[1][0]
    assert [answer for _, answer in done.taken] == list(answers.values())


def test_a_failure_ends_a_chain() -> None:
    [request] = opened([walk(TwoSteps(), ask("q"), 0, no_answer)])
    failure = Failure(
        request_key=request.request_key, kind=FailureKind.REJECTED, message="no"
    )
    ended = walk(TwoSteps(), ask("q"), 0, lambda _: failure)
    assert (ended.open, ended.ending, [answer for _, answer in ended.taken]) == (
        None,
        None,
        [failure],
    )


@pytest.mark.parametrize(
    ("names", "distinct"),
    [("", 0), ("a", 1), ("abc", 3), ("aab", 2), ("aaaa", 1), ("abab", 2)],
)
def test_two_rows_with_one_key_are_asked_once(names: str, distinct: int) -> None:
    mode = elicit(temperature=0)  # without seeds, equal questions have equal keys
    questions = [ask(str(i), f"Why {name}?") for i, name in enumerate(names)]
    chains = list(walk_all(mode, questions, no_answer))
    plan = make_plan(chains, 1)
    assert (plan.num_chains, plan.num_open_chains, plan.num_open) == (
        len(names),
        len(names),
        distinct,
    )
    asked = opened(open_requests(chains, plan.repeats))
    assert len(asked) == len({request.request_key for request in asked}) == distinct


def test_the_longest_open_request_is_kept_for_the_check_before_the_first() -> None:
    chains = list(
        walk_all(elicit(), [ask("a"), ask("b", "Why " * 50), ask("c")], no_answer)
    )
    plan = make_plan(chains, 1)
    assert plan.longest_id == "b"
    assert plan.first == opened(chains)[0]
