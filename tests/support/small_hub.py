"""A small Hub on loopback: the few answers of the real one that reading a dataset
needs.
"""

import io
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from cotbuild.builder.sources.datasets import KNOWN_DATASETS

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49"
    "44415478da63105030000000a400610a9baede0000000049454e44ae426082"
)
"""A picture of one pixel."""
CHOICES = {"label": ["A", "B"], "text": ["a fork", "a spoon"]}
Rows = list[dict[str, Any]]
ROWS: dict[str, dict[str, Any]] = {
    "commonsense_qa": {
        "id": "c1",
        "question": "What stirs tea?",
        "question_concept": "tea",
        "choices": CHOICES,
        "answerKey": "",
    },
    "openbookqa": {
        "id": "7-1",
        "question_stem": "What stirs tea?",
        "choices": CHOICES,
        "answerKey": "B",
    },
    "arc_challenge": {
        "id": "Mercury_1",
        "question": "What stirs tea?",
        "choices": CHOICES,
        "answerKey": "A",
    },
    "arc_easy": {
        "id": "Mercury_2",
        "question": "What stirs tea?",
        "choices": CHOICES,
        "answerKey": "B",
    },
    "strategyqa": {
        "qid": "s1",
        "term": "Tea",
        "question": "Is tea wet?",
        "answer": False,
        "facts": "Tea is wet.",
    },
    "gsm8k": {"question": "One and 1,000?", "answer": "It is 1,001.\n#### 1,001"},
    "scienceqa": {
        "image": {"bytes": PNG, "path": "image.png"},
        "question": "Which is wet?",
        "choices": ["tea", "sand"],
        "answer": 0,
        "hint": "Pour it.",
        "task": "closed choice",
        "grade": "grade2",
        "subject": "natural science",
        "topic": "physics",
        "category": "Materials",
        "skill": "Compare",
        "lecture": "",
        "solution": "Tea is a liquid.",
    },
    "svamp": {
        "ID": "chal-1",
        "Body": "Ann has 2 cups.",
        "Question": "How many?",
        "Answer": "2",
        "Equation": "2.0",
    },
}
NEW, OLD = "a" * 40, "b" * 40
TRAIN: Rows = [
    {"key": f"k{i}", "frage": f"What is {i}?", "antwort": i, "why": f"It is {i}."}
    for i in range(5)
]
DEV: Rows = [{"key": "d", "frage": "What is 3", "antwort": 3, "why": None}]


def repo(configs: dict[str, dict[str, Rows]], more: str = "") -> dict[str, bytes]:
    """The files of a dataset repository, by path."""
    files: dict[str, bytes] = {}
    card = "configs:\n"
    for config, splits in configs.items():
        card += f"- config_name: {config}\n  data_files:\n"
        for split, rows in splits.items():
            buffer = io.BytesIO()
            pq.write_table(pa.Table.from_pylist(rows), buffer)
            files[f"data/{config}-{split}.parquet"] = buffer.getvalue()
            card += f"  - split: {split}\n    path: data/{config}-{split}.parquet\n"
    return {"README.md": f"---\n{card}{more}---\n".encode(), **files}


def known_repos() -> dict[str, tuple[str, dict[str, bytes]]]:
    configs: dict[str, dict[str, dict[str, Rows]]] = {}
    for name, row in ROWS.items():
        known = KNOWN_DATASETS[name]
        configs.setdefault(str(known.hub_id), {})[known.config_name or "default"] = {
            "test": [row]
        }
    revisions = {known.hub_id: known.revision for known in KNOWN_DATASETS.values()}
    return {
        hub_id: (str(revisions[hub_id]), repo(found))
        for hub_id, found in configs.items()
    }


SIZE = "license: cc0-1.0\ndataset_info:\n  splits:\n  - name: train\n    num_bytes: 1234\n    num_examples: 5\n"


class Hub(BaseHTTPRequestHandler):
    """resolve, tree and revision of some datasets at their commits; 404 for anything
    else.
    """

    protocol_version = "HTTP/1.1"
    repos: ClassVar = {
        **known_repos(),
        "ann/sums": (NEW, repo({"default": {"train": TRAIN, "dev": DEV}}, SIZE)),
        "ann/two": (
            NEW,
            repo({"easy": {"train": TRAIN}, "hard": {"train": TRAIN[:2]}}),
        ),
        "ann/tea": (NEW, repo({"default": {"test": [ROWS["commonsense_qa"]]}})),
        "ann/locked": (NEW, {}),
    }
    branches: ClassVar = {"main": NEW, "v1": OLD}

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        for hub_id, (revision, files) in self.repos.items():
            if path == f"/api/datasets/{hub_id}/revision/gone":
                return self.send(404, b"", {"X-Error-Code": "RevisionNotFound"})
            for branch, commit in self.branches.items():
                if path == f"/api/datasets/{hub_id}/revision/{branch}":
                    return self.info("", files, hub_id, commit)
            for prefix, answer in (
                (f"/datasets/{hub_id}/resolve/{revision}/", self.resolve),
                (f"/datasets/{hub_id}/resolve/main/", self.resolve),
                (f"/api/datasets/{hub_id}/tree/{revision}", self.tree),
                (f"/api/datasets/{hub_id}/revision/{revision}", self.info),
            ):
                if path.startswith(prefix):
                    return answer(
                        path.removeprefix(prefix).strip("/"), files, hub_id, revision
                    )
        return self.send(404, b"", {"X-Error-Code": "RepoNotFound"})

    def resolve(
        self, name: str, files: dict[str, bytes], _: str, revision: str
    ) -> None:
        if name not in files:
            return self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
        data, wanted = files[name], self.headers.get("Range")
        headers = {"ETag": f'"{len(data)}"', "X-Repo-Commit": revision}
        if wanted is None:
            return self.send(200, data, headers)
        first, last = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
        part = data[first : last + 1]
        return self.send(
            206, part, {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"}
        )

    def tree(self, folder: str, files: dict[str, bytes], *_: str) -> None:
        entries: list[dict[str, object]] = [
            {"type": "file", "path": path, "size": len(data), "oid": "0" * 40}
            for path, data in files.items()
            if str(Path(path).parent) == (folder or ".")
        ]
        if not folder:
            entries.append(
                {"type": "directory", "path": "data", "size": 0, "oid": "0" * 40}
            )
        self.send(
            200, json.dumps(entries).encode(), {"Content-Type": "application/json"}
        )

    def info(self, _: str, files: dict[str, bytes], hub_id: str, revision: str) -> None:
        siblings = [{"rfilename": path} for path in files]
        card = (
            yaml.safe_load(files["README.md"].decode().split("---")[1]) if files else {}
        )
        body = {
            "id": hub_id,
            "sha": revision,
            "private": False,
            "siblings": siblings,
            "tags": [],
            "cardData": card,
        }
        self.send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...
