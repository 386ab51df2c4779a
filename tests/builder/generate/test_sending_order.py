"""The order of sending: a permutation of the plan, and what it puts together."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.generate import sending_order
from cotbuild.builder.generate.chains import Chain
from cotbuild.builder.generate.follow import (
    extend_chain,
    follow_chain,
    follow_chains,
)
from cotbuild.builder.generate.sending_order import (
    PREFIX_CHARS,
    expect_as_before,
    expect_tokens,
    order_for_sending,
)
from cotbuild.schemas.completion import Completion
from tests.builder.generate.test_chains import ask, elicit, no_answer, opened
from tests.support.commands import cotbuild, published
from tests.support.http_teacher import serve

PASSAGES = tuple(f"{name * PREFIX_CHARS} " for name in "abc")


def plan(beginnings: list[str], samples: int = 1) -> list[Chain]:
    rules = elicit(samples=samples)
    texts = [f"{begin}Why {number}?" for number, begin in enumerate(beginnings)]
    questions = [ask(str(number), text) for number, text in enumerate(texts)]
    return list(follow_chains(rules, questions, no_answer))


def keys(chains: list[Chain]) -> list[str]:
    return [request.request_key for request in opened(chains)]


@given(
    st.lists(st.sampled_from(("", *PASSAGES)), max_size=40),
    st.integers(1, 3),
    st.integers(1, 64),
)
def test_each_open_chain_is_sent_once_whatever_is_expected(
    beginnings: list[str], samples: int, look_ahead: int
) -> None:
    chains = plan(beginnings, samples)
    lengths = {key: 1 << number % 5 for number, key in enumerate(keys(chains))}

    def expected(chain: Chain) -> int:
        [key] = keys([chain])
        return lengths[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending_order, "LOOK_AHEAD", look_ahead)
        sent = list(order_for_sending(iter(chains), expected))
        assert Counter(keys(sent)) == Counter(keys(chains))
        assert len(set(keys(sent))) == len(sent)
        assert sent == list(order_for_sending(iter(chains), expected))


def test_without_anything_in_common_the_order_is_that_of_the_plan() -> None:
    chains = plan([""] * 200)
    assert list(order_for_sending(iter(chains))) == chains


def test_samples_and_passages_follow_each_other() -> None:
    chains = plan([PASSAGES[number % 3] for number in range(30)], samples=2)
    sent = list(order_for_sending(iter(chains)))
    # The first group is begun before most of the others are read.
    passages = [chain.question.text[0] for chain in sent]
    assert [name for name, _ in groupby(passages)] == ["a", "b", "c"]
    for pair in zip(sent[::2], sent[1::2], strict=True):
        assert pair[0].question == pair[1].question


def test_the_longest_expected_go_first_as_far_as_is_read() -> None:
    chains = plan([""] * 100)
    lengths = dict(zip(keys(chains), range(1, 101), strict=True))
    sent = list(order_for_sending(iter(chains), lambda c: lengths[keys([c])[0]]))
    # After a quarter of them, all are read.
    tail = [lengths[key].bit_length() for key in keys(sent)][25:]
    assert tail == sorted(tail, reverse=True)
    assert tail[0] == max(tail) > tail[-1]


def test_no_more_is_read_ahead_than_the_bounds_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending_order, "LOOK_AHEAD", 8)
    chains, num_read = plan(list(PASSAGES) * 20), 0

    def counted() -> Iterator[Chain]:
        nonlocal num_read
        for chain in chains:
            num_read += 1
            yield chain

    for num_sent, _ in enumerate(order_for_sending(counted()), start=1):
        assert num_read <= min(4 * num_sent, num_sent + 9)
    monkeypatch.setattr(sending_order, "LOOK_AHEAD_CHARS", 1)
    num_read = 0
    for num_sent, _ in enumerate(order_for_sending(counted()), start=1):
        assert num_read <= num_sent + 1


def answer_of(chain: Chain, tokens: int | None) -> Completion:
    [request] = opened([chain])
    return Completion(
        request_key=request.request_key,
        text="so",
        finish_reason="length",
        completion_tokens=tokens,
    )


def test_what_is_expected_of_a_request() -> None:
    [first] = plan([""])
    limit = elicit().config.sampling.max_tokens
    assert expect_tokens(first) == limit
    # After a text that was cut, the same request with a larger limit follows.
    rules = elicit(on_length="longer")
    start = follow_chain(rules, ask("q"), 0, no_answer)
    longer = extend_chain(rules, start, answer_of(start, limit))
    assert expect_tokens(longer) == rules.longer_tokens
    earlier = {keys([first])[0]: answer_of(first, 17)}
    assert expect_as_before(earlier.get)(first) == 17
    assert expect_as_before(no_answer)(first) == limit


def test_the_bytes_of_a_build_do_not_depend_on_the_order_of_sending(
    tmp_path: Path,
) -> None:
    source = tmp_path / "q.jsonl"
    rows = [
        f'{{"question": "{PASSAGES[number % 3]}Is it {number}?", "answer": "yes"}}\n'
        for number in range(24)
    ]
    source.write_text("".join(rows))
    asked = ("generate", "--source", source, "--teacher", "fake", "--samples", 2)
    with serve() as server:
        words = (*asked, "--endpoint", server.url)
        cotbuild(*words, "--out", tmp_path / "ordered" / "b")
        # A budget keeps the order of the plan.
        cotbuild(*words, "--out", tmp_path / "plan" / "b", "--max-requests", 1000)
        assert set(server.counts().values()) == {2}
        assert published(tmp_path / "ordered" / "b") == published(
            tmp_path / "plan" / "b"
        )
        # Again from the lengths of the earlier generation; this server then says
        # something else.
        cotbuild(*words, "--out", tmp_path / "ordered" / "b", "--fresh")
        assert set(server.counts().values()) == {3}
