"""What cotbuild is to vLLM: `python managed_owner.py STORE` starts the embedded
teacher, asks, stops at stdin's end. Prints a line at each step, and the answers;
test_managed_vllm.py kills it in between.

NUMBERS: what is asked about. AT_ONCE: all of them are asked once for each number in it,
so many in flight.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / ".ns"))

from cotbuild.builder.teachers import open_teacher, teacher_identity
from cotbuild.builder.teachers.base import Teacher
from cotbuild.schemas.completion import Answer, Completion, Message, Request, Sampling
from cotbuild.schemas.teacher_config import TeacherConfig


def request(number: int, identity: str) -> Request:
    message = Message(
        role="user", content=f"Write two sentences about the number {number}."
    )
    return Request(
        messages=(message,),
        teacher=identity,
        sampling=Sampling(max_tokens=48),
        seed=1000 + number,
    )


async def main(store: Path) -> None:
    config = TeacherConfig()
    identity = teacher_identity(config, store)
    async with open_teacher(config, identity, store, say) as teacher:
        say("up")
        numbers = [int(word) for word in os.environ["NUMBERS"].split()]
        requests = [request(number, identity) for number in numbers]
        for at_once in map(int, os.environ["AT_ONCE"].split()):
            answers = await ask(teacher, requests, at_once)
            texts = {
                n: a.text
                for n, a in zip(numbers, answers, strict=True)
                if isinstance(a, Completion)
            }
            print(json.dumps(texts), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        say("stopping")
    say("gone")


async def ask(teacher: Teacher, requests: list[Request], at_once: int) -> list[Answer]:
    slots = asyncio.Semaphore(at_once)

    async def one(request: Request) -> Answer:
        async with slots:
            return await teacher.ask(request)

    return await asyncio.gather(*map(one, requests))


def say(line: str) -> None:
    print(f"# {line}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
