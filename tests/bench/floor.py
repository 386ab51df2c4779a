"""The floor: the least that asks and keeps an answer. A window of bare aiohttp posts,
one line written for each.

    floor.py PORT WINDOW BODIES OUT

BODIES holds one chat completion body a line, read before the first request is sent.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import aiohttp


async def worker(
    session: aiohttp.ClientSession,
    url: str,
    bodies: Iterator[dict[str, Any]],
    out: TextIO,
) -> None:
    for body in bodies:
        async with session.post(url, json=body) as response:
            answer = await response.json()
            response.raise_for_status()
        out.write(
            json.dumps(
                {
                    "text": answer["choices"][0]["message"]["content"],
                    "usage": answer["usage"],
                }
            )
            + "\n"
        )
        out.flush()


async def ask_all(
    port: int, window: int, bodies: Iterator[dict[str, Any]], out: TextIO
) -> None:
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0)
    ) as session:
        await asyncio.gather(
            *(worker(session, url, bodies, out) for _ in range(window))
        )


def main() -> None:
    port, window, source, target = sys.argv[1:]
    bodies = [json.loads(line) for line in Path(source).read_text().splitlines()]
    with Path(target).open("w") as out:
        asyncio.run(ask_all(int(port), int(window), iter(bodies), out))


if __name__ == "__main__":
    main()
