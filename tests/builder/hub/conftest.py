"""A small real Hub of each test's own, and one real client of them all."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.hub.target import RemoteFile, RemoteState
from tests.support.hub.running import ROOT, SmallHub, running_hub
from tests.support.hub.server import SIGNATURE, USERS, WRITER

Ask = Callable[..., Any]


class Refused(Exception):
    """What HubRepo raised: its line, and the traceback that a user might paste
    somewhere.
    """

    def __init__(self, line: str, traceback: str) -> None:
        super().__init__(line)
        self.traceback = traceback


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[SmallHub]:
    # Two entries a page and small parts, so that pages and parts are many.
    with running_hub(tmp_path, "--page", "2", "--part", "50000") as hub:
        yield hub


@pytest.fixture(scope="session")
def client(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator["subprocess.Popen[str]"]:
    folder = tmp_path_factory.mktemp("client")
    with (folder / "stderr").open("w") as stderr:
        words = [sys.executable, "-m", "tests.support.hub.client"]
        env = {
            "PATH": "/usr/bin:/bin",
            "HF_HOME": str(folder),
            "HF_HUB_DISABLE_XET": "1",
        }
        env["PYTHONPATH"] = f"{ROOT}:{ROOT / 'tests' / '.ns'}"
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            words, stdin=pipe, stdout=pipe, stderr=stderr, text=True, env=env, cwd=ROOT
        )
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    logged = (folder / "stderr").read_text()
    for secret in (*USERS, SIGNATURE):
        assert secret not in logged, "a token in what the client logs"
    assert "Traceback" not in logged, logged


@pytest.fixture
def ask(hub: SmallHub, client: "subprocess.Popen[str]") -> Ask:
    """What a method of HubRepo returns for lab/x.

    `told` is filled with what it said, and how it got on.
    """

    def of_client(
        method: str,
        *,
        repo: str = "lab/x",
        token: str = WRITER,
        told: dict[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        wanted = {
            "endpoint": hub.url,
            "token": token,
            "repo": repo,
            "method": method,
            "args": args,
        }
        assert client.stdin is not None
        assert client.stdout is not None
        print(json.dumps(wanted, default=str), file=client.stdin, flush=True)
        answer = json.loads(client.stdout.readline())
        if told is not None:
            told.update(answer)
        if "error" in answer:
            raise Refused(answer["error"], answer["traceback"])
        return answer["result"]

    return of_client


@pytest.fixture
def state(ask: Ask) -> Callable[..., RemoteState]:
    def of_target(method: str = "read_state", **args: Any) -> RemoteState:
        commit, files, tags = ask(method, **args)
        return RemoteState(
            commit, {path: RemoteFile(*file) for path, file in files.items()}, tags
        )

    return of_target


@pytest.fixture
def release(tmp_path: Path) -> dict[str, Path]:
    """Files as of a build, by path: a card, a manifest and two shards."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    splits = "".join(
        f"  - split: {split}\n    path: post_cot/{split}.parquet\n"
        for split in ("train", "test")
    )
    card = f"---\nlicense: mit\nconfigs:\n- config_name: post_cot\n  data_files:\n{splits}---\n# Tea\n"
    paths = (
        "README.md",
        "manifest.json",
        "post_cot/train.parquet",
        "post_cot/test.parquet",
    )
    files = {path: tmp_path / "build" / path for path in paths}
    files["post_cot/train.parquet"].parent.mkdir(parents=True)
    files["README.md"].write_text(card)
    files["manifest.json"].write_text("{}")
    for split, num_rows in (("train", 20_000), ("test", 3)):
        table = pa.table({"prompt": [f"{i} cups?" for i in range(num_rows)]})
        pq.write_table(table, files[f"post_cot/{split}.parquet"], compression=None)
    return files
