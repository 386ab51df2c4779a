"""The Hub form of the known datasets, streamed by `datasets` from a real HTTP server that speaks what it asks for."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cotbuild.builder.sources.registry import KNOWN

ROOT = Path(__file__).parents[2]
CHOICES = {"label": ["A", "B"], "text": ["a fork", "a spoon"]}
ROWS: dict[str, dict[str, Any]] = {
    "commonsense_qa": {
        "id": "c1",
        "question": "What stirs tea?",
        "question_concept": "tea",
        "choices": CHOICES,
        "answerKey": "",
    },
    "openbookqa": {"id": "o1", "question_stem": "What stirs tea?", "choices": CHOICES, "answerKey": "B"},
}
PARQUET = "data/test-00000-of-00001.parquet"


def repo(name: str) -> dict[str, bytes]:
    """The files of a dataset repository, by path."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([ROWS[name]]), buffer)
    config = KNOWN[name].config_name or "default"
    files = f"- config_name: {config}\n  data_files:\n  - split: test\n    path: data/test-*\n"
    return {"README.md": f"---\nconfigs:\n{files}---\n".encode(), PARQUET: buffer.getvalue()}


class Hub(BaseHTTPRequestHandler):
    """resolve, tree and revision of two known datasets at their pinned commits; 404 for anything else."""

    protocol_version = "HTTP/1.1"
    repos: ClassVar = {known.hub_id: (known.revision, repo(name)) for name, known in KNOWN.items() if name in ROWS}

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        for hub_id, (revision, files) in self.repos.items():
            for prefix, answer in (
                (f"/datasets/{hub_id}/resolve/{revision}/", self.resolve),
                (f"/api/datasets/{hub_id}/tree/{revision}", self.tree),
                (f"/api/datasets/{hub_id}/revision/{revision}", self.info),
            ):
                if path.startswith(prefix):
                    return answer(path.removeprefix(prefix).strip("/"), files, hub_id, revision)
        return self.send(404, b"", {"X-Error-Code": "RepoNotFound"})

    def resolve(self, name: str, files: dict[str, bytes], _: str, revision: str) -> None:
        if name not in files:
            return self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
        data, wanted = files[name], self.headers.get("Range")
        headers = {"ETag": f'"{len(data)}"', "X-Repo-Commit": revision}
        if wanted is None:
            return self.send(200, data, headers)
        first, last = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
        part = data[first : last + 1]
        return self.send(206, part, {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"})

    def tree(self, folder: str, files: dict[str, bytes], *_: str) -> None:
        entries: list[dict[str, object]] = [
            {"type": "file", "path": path, "size": len(data), "oid": "0" * 40}
            for path, data in files.items()
            if str(Path(path).parent) == (folder or ".")
        ]
        if not folder:
            entries.append({"type": "directory", "path": "data", "size": 0, "oid": "0" * 40})
        self.send(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})

    def info(self, _: str, files: dict[str, bytes], hub_id: str, revision: str) -> None:
        siblings = [{"rfilename": path} for path in files]
        body = {"id": hub_id, "sha": revision, "private": False, "siblings": siblings, "tags": []}
        self.send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_known_datasets_stream_from_the_hub_at_their_commit(endpoint: str, tmp_path: Path) -> None:
    code = """
from cotbuild.builder.sources import open_source
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import DataError
for name in ("commonsense_qa", "openbookqa", "quarel"):
    source = open_source(SourceConfig(name=name, split="test"))
    try:
        for _ in range(2):
            for question in source.read("test"):
                print(question.model_dump_json())
    except DataError as error:
        print(error)
"""
    # A process of its own: the endpoint is read once, at import.
    hub = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    env = {**os.environ, **hub, "PYTHONPATH": str(ROOT / "tests" / ".ns")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    *lines, missing = done.stdout.splitlines()
    questions = [json.loads(line) for line in lines]
    assert [(q["id"], q["text"], q["target"]) for q in questions] == [
        ("c1", "What stirs tea?", None),
        ("c1", "What stirs tea?", None),
        ("o1", "What stirs tea?", "B"),
        ("o1", "What stirs tea?", "B"),
    ]
    assert questions[2]["source"] == {
        "dataset": "allenai/openbookqa",
        "config_name": "main",
        "split": "test",
        "revision": KNOWN["openbookqa"].revision,
        "row": 0,
    }
    assert missing.startswith("community-datasets/quarel/test at 52be7f06")
    assert "cannot be read from the Hub" in missing
