"""The sliding window: every chain followed to its end, nothing asked that is known,
faults as they are.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cotbuild.builder.generate.ask import ask_all
from cotbuild.builder.generate.chains import (
    Chain,
    ChainRules,
)
from cotbuild.builder.generate.follow import (
    follow_chains,
)
from cotbuild.builder.storage.journal import Journal, read_lines
from cotbuild.builder.teachers.scripted import ScriptedTeacher
from cotbuild.schemas.completion import Answer, Completion, Request
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.teacher_config import ScriptedConfig
from tests.builder.generate.test_chains import (
    ask,
    elicit,
    no_answer,
    opened,
    two_steps,
)


class Counting(ScriptedTeacher):
    """The scripted teacher, with an eye on how many requests are in flight."""

    in_flight = peak = 0

    async def ask(self, request: Request) -> Answer:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await asyncio.sleep(0.001)
            return await super().ask(request)
        finally:
            self.in_flight -= 1


def run(
    path: Path,
    rules: ChainRules,
    chains: Iterator[Chain],
    lookup: Callable[[str], Answer | None] = no_answer,
    on_step: Callable[[Chain, Answer | None], None] | None = None,
    **dials: float,
) -> tuple[list[Answer], Counting]:
    answers: list[Answer] = []

    def note(chain: Chain, answer: Answer | None) -> None:
        if answer is not None:
            answers.append(answer)
        if on_step is not None:
            on_step(chain, answer)

    teacher = Counting(ScriptedConfig(**dials), 4)

    async def go() -> None:
        async with teacher:
            with Journal(path, {}) as journal:
                await ask_all(teacher, rules, chains, lookup, journal, note)

    asyncio.run(go())
    return answers, teacher


QUESTIONS = [ask(str(i), f"Why {i}?") for i in range(20)]


def test_the_window_is_used_and_kept(tmp_path: Path) -> None:
    answers, teacher = run(
        tmp_path / "j", elicit(), follow_chains(elicit(), QUESTIONS, no_answer)
    )
    assert len(answers) == len(list(read_lines(tmp_path / "j"))) == 20
    assert teacher.peak == 4


def test_chains_are_drawn_only_as_slots_come_free(tmp_path: Path) -> None:
    """An endless plan is fine, until the teacher says that it cannot go on."""
    drawn = 0

    def endless() -> Iterator[Chain]:
        nonlocal drawn
        while True:
            drawn += 1
            yield next(follow_chains(elicit(), [ask(str(drawn))], no_answer))

    def stop(_chain: Chain, _answer: Answer | None) -> None:
        if drawn > 50:
            raise TeacherError("enough")

    with pytest.raises(TeacherError, match="enough"):
        run(tmp_path / "j", elicit(), endless(), on_step=stop)
    assert drawn < 60


def test_later_steps_are_asked_and_not_when_they_are_known(tmp_path: Path) -> None:
    rules = two_steps()
    answers, _ = run(tmp_path / "a", rules, follow_chains(rules, QUESTIONS, no_answer))
    assert len(answers) == 40
    known = {answer.request_key: answer for answer in answers}
    firsts = {
        request.request_key
        for request in opened(follow_chains(rules, QUESTIONS, no_answer))
    }
    seconds = {key: answer for key, answer in known.items() if key not in firsts}
    again, _ = run(
        tmp_path / "b", rules, follow_chains(rules, QUESTIONS, seconds.get), seconds.get
    )
    assert {answer.request_key for answer in again} == firsts
    assert all(isinstance(answer, Completion) for answer in again)


def test_a_failed_step_ends_its_chain(tmp_path: Path) -> None:
    rules = two_steps()
    answers, _ = run(
        tmp_path / "a",
        rules,
        follow_chains(rules, QUESTIONS, no_answer),
        rejected_frac=1.0,
    )
    assert len(answers) == 20
