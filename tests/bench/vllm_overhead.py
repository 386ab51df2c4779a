"""cotbuild's managed vLLM beside a bare `vllm.LLM.generate`: same weights, engine
settings, prompts and sampling.

cotbuild's side is what `generate` does while it asks: plan, requests over the Unix
socket, validation, progress, journal with its last fsync. Starting either engine is not
in it. The bare side gets all prompts at once, templated beforehand; it is a process of
its own, and only one side works at a time. Both have answered all the questions once
before the first pair, so whatever the prefix cache can hold it holds on both sides (on
a CPU next to nothing: it keeps whole blocks of 128 tokens, and these prompts are
shorter). Compared are seconds a generated token, since the two may end a text at
different places. Prompts and answers are short, which is hard on cotbuild: more
requests a token.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import spread
from sums import Side, options, show, sums_job

from cotbuild.builder.generate.ask import ask_all
from cotbuild.builder.generate.chain_progress import ProgressMeter
from cotbuild.builder.generate.chains import Chain
from cotbuild.builder.generate.plan import open_chains
from cotbuild.builder.generate.sending_order import order_for_sending
from cotbuild.builder.generate.teacher_job import TeacherJob
from cotbuild.builder.teachers.early_stop import EarlyStop
from cotbuild.builder.teachers.vllm.managed import ManagedTeacher
from cotbuild.builder.teachers.vllm.tuning import detect_machine, tune_vllm
from cotbuild.builder.teachers.vllm.weights import find_weights
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.completion import Answer, Completion


class Bare:
    """The bare engine, over its pipes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def say(self, value: dict[str, Any]) -> dict[str, Any]:
        """One line to it, and its answer."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()
        if not (line := self.process.stdout.readline()):
            raise SystemExit(
                f"the bare engine ended with code {self.process.wait()}: run with --log FILE and see there"
            )
        return dict(json.loads(line))

    def generate(self) -> Side:
        """One pass."""
        return Side(**self.say({}))


@contextmanager
def bare_engine(
    job: TeacherJob, env: dict[str, str], args: list[str], log: Path
) -> Iterator[Bare]:
    """A bare engine that is ready; closing its stdin ends it."""
    requests = [
        chain.open_step.request
        for chain in job.chains(job.read_rules(), lambda _: None)
        if chain.open_step
    ]
    chats = [
        [message.model_dump() for message in request.messages] for request in requests
    ]
    command = [sys.executable, str(Path(__file__).with_name("bare_llm.py"))]
    pipes: dict[str, Any] = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "text": True,
    }
    with (
        log.open("a") as err,
        subprocess.Popen(
            command, stderr=err, env={**os.environ, **env}, **pipes
        ) as process,
    ):
        bare = Bare(process)
        try:
            bare.say(
                {
                    "args": args,
                    "chats": chats,
                    "sampling": job.config.sampling.model_dump(mode="json"),
                }
            )
            yield bare
        finally:
            assert process.stdin
            process.stdin.close()


async def ask(teacher: ManagedTeacher, job: TeacherJob, num: int) -> Side:
    """What `run._ask` does once the server is up; no lookup, so everything is asked
    anew into a new journal.
    """
    said: dict[str, Completion] = {}
    started = time.perf_counter()
    with job.store.create_journal({}) as journal, Terminal().asking(num) as on_step:
        stop, meter = EarlyStop(), ProgressMeter(job.grading)

        def kept(chain: Chain, answer: Answer | None) -> None:
            on_step(meter.measure(chain, answer))
            if answer is not None:
                stop.record(answer)
            if isinstance(answer, Completion):
                said[chain.question.id] = answer

        planned = job.chains(job.read_rules(), lambda _: None)
        chains = order_for_sending(open_chains(planned, frozenset()))
        await ask_all(teacher, job.read_rules(), chains, lambda _: None, journal, kept)
    seconds = time.perf_counter() - started
    if len(said) != num:
        raise SystemExit(f"{len(said)} completions, expected {num}")
    texts = [
        said[chain.question.id].text
        for chain in job.chains(job.read_rules(), lambda _: None)
    ]
    return Side(
        seconds, sum(answer.completion_tokens or 0 for answer in said.values()), texts
    )


async def measure(
    job: TeacherJob, args: argparse.Namespace, log: Path
) -> list[tuple[Side, Side]]:
    """(cotbuild, bare) for each pair, in alternating order, after one pass of each."""
    config = job.config.teacher
    weights = await find_weights(config, job.teacher, log, print)
    settings = tune_vllm(detect_machine(), config.server, weights.max_len)
    words = ["--model", weights.model, *settings.args]
    pairs = []
    with bare_engine(job, {**settings.env, "HF_HUB_OFFLINE": "1"}, words, log) as bare:
        async with ManagedTeacher(
            config, job.teacher, job.store.logs, print
        ) as teacher:
            for number in range(args.pairs + 1):
                if number % 2:
                    ours, theirs = (
                        await ask(teacher, job, args.questions),
                        bare.generate(),
                    )
                else:
                    theirs, ours = (
                        bare.generate(),
                        await ask(teacher, job, args.questions),
                    )
                if number:  # the first pair warms up
                    pairs.append((ours, theirs))
                    print(
                        f"pair {number}: cotbuild {ours.rate:.0f} tok/s, bare {theirs.rate:.0f} tok/s",
                        flush=True,
                    )
    return pairs


def main() -> None:
    args = options(__doc__, questions=512, max_tokens=16, log_of="bare engine")
    with tempfile.TemporaryDirectory() as folder:
        job = sums_job(args, Path(folder))
        with job.store.lock():
            pairs = asyncio.run(
                measure(job, args, args.log or Path(folder, "bare.log"))
            )
    show(
        {"cotbuild": [a for a, _ in pairs], "bare LLM.generate": [b for _, b in pairs]}
    )
    same = sum(
        a == b
        for ours, theirs in pairs
        for a, b in zip(ours.texts, theirs.texts, strict=True)
    )
    print(
        f"texts that are the same on both sides: {same} of {len(pairs) * args.questions}"
    )
    print(
        f"seconds a token, cotbuild/bare over {len(pairs)} pairs: {spread((b.rate / a.rate for a, b in pairs), '.3f')}"
    )


if __name__ == "__main__":
    main()
