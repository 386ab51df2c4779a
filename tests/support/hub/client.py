"""HubRepo in a process of its own, where the Hub's client is imported without Xet:
`python -m tests.support.hub.client`.

A line of JSON in: endpoint, token, repo, and a method of HubRepo with its arguments. A
line out: what it returned, how it got on, or the error with its traceback.
"""

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from cotbuild.builder.hub.repo import HubRepo
from cotbuild.schemas.errors import CotbuildError


def answer(
    endpoint: str, token: str | None, repo: str, method: str, args: dict[str, Any]
) -> dict[str, Any]:
    progress: list[tuple[int, int]] = []
    said: list[str] = []
    if method in ("commit_files", "fetch_files"):
        args |= {"progress": lambda done, total: progress.append((done, total))}
    if method == "commit_files":
        args |= {"add": {path: Path(local) for path, local in args["add"].items()}}
    if method == "fetch_files":
        args |= {"folder": Path(args["folder"])}
    try:
        result = getattr(
            HubRepo(repo, endpoint=endpoint, token=token, say=said.append), method
        )(**args)
    except CotbuildError as error:
        return {
            "error": f"{type(error).__name__}: {error}",
            "traceback": traceback.format_exc(),
            "said": said,
        }
    return {"result": result, "progress": progress, "said": said}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), flush=True)
