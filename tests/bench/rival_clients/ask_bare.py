"""Ask with a bare loop: `ask_bare.py QUESTIONS WINDOW PORT FOLDER`; prints the rows kept.

A window of aiohttp posts and one file of lines, which it reads first when it is run
again.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import aiohttp

QUESTIONS, WINDOW, PORT, FOLDER = sys.argv[1:]
ATTEMPTS = 4


async def worker(
    session: aiohttp.ClientSession, rows: Iterator[dict[str, Any]], out: TextIO
) -> None:
    url = f"http://127.0.0.1:{PORT}/v1/chat/completions"
    for row in rows:
        turns = [{"role": "user", "content": row["prompt"]}]
        body = {
            "model": "mock",
            "messages": turns,
            "max_tokens": 512,
            "temperature": 0.7,
        }
        for _ in range(ATTEMPTS):
            async with session.post(url, json=body) as response:
                answer = await response.json()
            if response.status == 200:
                text = answer["choices"][0]["message"]["content"]
                kept = {"id": row["id"], "text": text, "usage": answer["usage"]}
                out.write(json.dumps(kept) + "\n")
                out.flush()
            if response.status in (200, 400):
                break


async def ask_all(rows: Iterator[dict[str, Any]], out: TextIO) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        workers = (worker(session, rows, out) for _ in range(int(WINDOW)))
        await asyncio.gather(*workers)


def read_ids(path: Path) -> set[str]:
    """Return the ids of the lines that are whole."""
    ids = set()
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            ids.add(json.loads(line)["id"])
        except ValueError:
            continue
    return ids


def main() -> None:
    Path(FOLDER).mkdir(exist_ok=True)
    path = Path(FOLDER, "answers.jsonl")
    known = read_ids(path)
    rows = map(json.loads, Path(QUESTIONS).read_text().splitlines())
    with path.open("a") as out:
        asyncio.run(ask_all((row for row in rows if row["id"] not in known), out))
    print(json.dumps({"rows": len(read_ids(path))}))


if __name__ == "__main__":
    main()
