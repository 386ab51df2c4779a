"""The Hub form of the known datasets, and any other dataset, streamed by `datasets`
from a real HTTP server.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.sources.datasets import KNOWN_DATASETS
from tests.support.small_hub import NEW, OLD, ROWS, Hub

ROOT = Path(__file__).parents[3]
Run = Callable[..., list[str]]


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(endpoint: str, tmp_path: Path) -> Run:
    """The lines that code prints in a process of its own: the endpoint is read once, at
    import.
    """

    def run_code(
        code: str, *args: str, offline: bool = False, broken: bool = False
    ) -> list[str]:
        hub = {
            "HF_ENDPOINT": "http://127.0.0.1:9" if broken else endpoint,
            "HF_HOME": str(tmp_path / "hf"),
        }
        more = {
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": str(int(offline)),
            "COLUMNS": "80",
        }
        env = {**os.environ, **hub, **more, "PYTHONPATH": str(ROOT / "tests" / ".ns")}
        words = [sys.executable, "-c", SETUP + code, *args]
        done = subprocess.run(
            words, capture_output=True, text=True, env=env, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run_code


SETUP = """
import sys
from pathlib import Path
from cotbuild.builder.sources import open_source, remember_source, describe_source
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
MAP = {"id": "key", "question": "frage", "target": "antwort", "rationale": "why"}
def sums(**config):
    return SourceConfig(**{"name": "ann/sums", "columns": MAP, **config})
"""


def test_known_datasets_stream_from_the_hub_at_their_commit(run: Run) -> None:
    code = """
for name in sys.argv[1:]:
    source = open_source(SourceConfig(name=name, split="test"))
    try:
        for _ in range(2):
            for question in source.read("test"):
                print(question.model_dump_json())
    except DataError as error:
        print(error)
"""
    *lines, missing = run(code, *ROWS, "quarel")
    questions = [json.loads(line) for line in lines]
    assert questions[::2] == questions[1::2]
    assert [(q["id"], q["text"], q["target"]) for q in questions[::2]] == [
        ("c1", "What stirs tea?", None),
        ("7-1", "What stirs tea?", "B"),
        ("Mercury_1", "What stirs tea?", "A"),
        ("Mercury_2", "What stirs tea?", "B"),
        ("s1", "Is tea wet?", "no"),
        ("574ddecbd5b3a0c1", "One and 1,000?", "1001"),
        ("70f07012159f4860", "Which is wet?", "A"),
        ("chal-1", "Ann has 2 cups. How many?", "2"),
    ]
    science = questions[2 * list(ROWS).index("scienceqa")]
    assert [one["name"] for one in science["inputs"]] == ["hint", "image"]
    assert science["inputs"][1]["image"]["width"] == 1
    for name, question in zip(ROWS, questions[::2], strict=True):
        assert question["source"] == {
            "dataset": KNOWN_DATASETS[name].hub_id,
            "config_name": KNOWN_DATASETS[name].config_name,
            "split": "test",
            "revision": KNOWN_DATASETS[name].revision,
            "row": 0,
        }
    assert missing.startswith("community-datasets/quarel/test at 52be7f06")
    assert "cannot be read from the Hub" in missing


def test_any_dataset_through_a_mapping(run: Run) -> None:
    code = """
source = open_source(sums(rows="1:", sample=3, eval_splits=("dev",), drop_overlap=True))
for question in source.read("train"):
    print(question.id, question.kind.value, question.text, question.target, question.source.row)
print(source.checksum("train"), source.drops, source.overlaps)
print([(q.id, q.source.split) for q in source.read("validation")])
print([(q.id, text) for q, text in source.read_with_rationales("train")][:1])
print(next(source.read("train")).source.model_dump_json())
print(*[q.text for q in open_source(SourceConfig(name="ann/tea", split="test")).read("test")])
"""
    *questions, state, dev, worked, ref, known_shape = run(code)
    assert known_shape == "What stirs tea?"  # without a mapping
    assert questions == [f"k{i} number What is {i}? {i} {i}" for i in (1, 2, 4)]
    assert state == f"ann/sums@{NEW} {{'overlap_validation': 1}} {{'validation': 1}}"
    assert dev == "[('d', 'validation')]"
    assert worked == "[('k0', 'It is 0.')]"
    assert json.loads(ref) == {
        "dataset": "ann/sums",
        "config_name": None,
        "split": "train",
        "revision": NEW,
        "row": 1,
    }


def test_a_branch_keeps_its_first_meaning_once_remembered(
    run: Run, tmp_path: Path
) -> None:
    code = """
store = Path(sys.argv[1])
for revision in (None, "v1", "c" * 40):
    source = open_source(sums(revision=revision), store)
    print(source.revision, store.exists())
remember_source(open_source(sums(revision="c" * 40), store), store)
remember_source(open_source(SourceConfig()), store)
print(store.exists())
remember_source(open_source(sums()), store)
remember_source(open_source(sums(revision="v1")), store)
"""
    store = tmp_path / "store"
    assert run(code, str(store)) == [
        f"{NEW} False",
        f"{OLD} False",
        f"{'c' * 40} False",
        "False",
    ]
    known = json.loads((store / "source.json").read_text())
    licences = {
        f"ann/sums@{NEW}": "cc0-1.0"
    }  # the small Hub knows v1's commit, and nothing of it
    assert known == {
        "format_version": 1,
        "hub": {"ann/sums@main": NEW, "ann/sums@v1": OLD},
        "licences": licences,
    }
    code = """
from cotbuild.builder.sources.provenance import hub_id, stated_licence
store = Path(sys.argv[1])
source = open_source(sums(), store)
print(stated_licence(source, store), hub_id(source))
"""
    assert run(code, str(store), offline=True) == ["cc0-1.0 ann/sums"]
    # What is written down goes before what the Hub says, and needs no Hub.
    (store / "source.json").write_text(
        json.dumps({**known, "hub": {"ann/sums@main": OLD}})
    )
    code = "print(open_source(sums(), Path(sys.argv[1])).revision)"
    assert run(code, str(store)) == run(code, str(store), offline=True) == [OLD]
    (store / "source.json").write_text("{")
    code = """
from cotbuild.schemas.errors import StoreError
try:
    open_source(sums(), Path(sys.argv[1]))
except StoreError as error:
    print(error)
"""
    assert "Delete the file to resolve the sources again." in run(code, str(store))[0]


def test_without_the_hub_the_commit_comes_from_its_cache(run: Run) -> None:
    code = """
from huggingface_hub import hf_hub_download
hf_hub_download("ann/sums", "README.md", repo_type="dataset", revision="main")
"""
    cached = "print(open_source(sums()).revision)"
    unknown = """
try:
    open_source(sums(revision="v1"))
except DataError as error:
    print(error)
"""
    run(code)
    assert run(cached, offline=True) == [NEW]
    for how in ({"offline": True}, {"broken": True}):
        (line,) = run(unknown, **how)
        assert line.startswith("ann/sums: the Hub does not say which commit 'v1' is: ")
        assert line.endswith(
            "or pass --source-revision with a commit of 40 hex digits."
        )


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"name": "ann/two"},
        "ann/two: no config None; it has ['easy', 'hard'].",
    ),
    (
        {"name": "ann/two", "config_name": "odd"},
        "ann/two: no config 'odd'; it has ['easy', 'ha",
    ),
    ({"split": "hard"}, "ann/sums: no split 'hard'. Pass one of train, dev."),
    (
        {"name": "ann/none"},
        "source 'ann/none': no such file, and no such dataset on the Hub, or it is private",
    ),
    (
        {"revision": "gone"},
        "ann/sums: it has no branch, tag or commit 'gone'",
    ),
    (
        {"name": "data/train.jsonl"},
        "source 'data/train.jsonl': no such name or file. Pass one of bundled",
    ),
    (
        {"columns": {"question": "q"}},
        "ann/sums/train: no column named target among ['key', 'frage'",
    ),
    (
        {"name": "gsm8k", "columns": {}, "revision": "v1"},
        "gsm8k: {'revision': 'v1'} with a source that is not a Hub id;",
    ),
    (
        {"columns": {}, "name": "bundled", "config_name": "a"},
        "bundled: {'config_name': 'a'} with a source that is no",
    ),
    (
        {"name": "ann/locked"},
        f"ann/locked/train at {NEW}: cannot be read from the Hub: ",
    ),
]


def test_what_cannot_be_read_is_one_line(run: Run) -> None:
    # One process: `datasets` takes seconds to import.
    code = """
import json
for config in json.loads(sys.argv[1]):
    try:
        source = open_source(sums(**config))
        next(source.read(source.split))
    except DataError if config["name"] == "ann/locked" else ConfigError as error:
        print(error)
"""
    configs = [{"name": "ann/sums", **config} for config, _ in REFUSED]
    lines = run(code, json.dumps(configs))
    assert len(lines) == len(REFUSED)
    for line, (_, expected) in zip(lines, REFUSED, strict=True):
        assert line.startswith(expected)


def test_describe_source(run: Run) -> None:
    code = """
for config in (sums(), SourceConfig(name="gsm8k", split="test")):
    print(*describe_source(config), sep="\\n")
"""
    lines = run(code)
    assert lines[:15] == [
        f"ann/sums @ {NEW}",
        "licence: cc0-1.0",
        "train            5 rows, 1,234 bytes",
        "row 0 of train, as published:",
        "  key: 'k0'",
        "  frage: 'What is 0?'",
        "  antwort: 0",
        "  why: 'It is 0.'",
        "read as          number questions; question from frage; target antwort as number",
        "    (5 of 5 rows tell) (change with --map, --kind)",
        "the question of row 0:",
        "  id: k0",
        "  kind: number",
        "  text: What is 0?",
        "  target: 0",
    ]
    assert lines[19] == "size             not shown: its card does not state it"
    assert lines[-1] == "  target: 1001"


IMPORT = """
from cotbuild.builder.cli.app import app
from typer.testing import CliRunner
for words in (sys.argv[2:], ["verify", sys.argv[1]]):
    done = CliRunner().invoke(app, words)
    print(done.output, done.exit_code)
"""


def test_a_dataset_of_answers_is_imported_at_its_commit(
    run: Run, tmp_path: Path
) -> None:
    out = str(tmp_path / "b")
    mapping = ["text=why", "question=frage", "target=antwort", "answer=antwort"]
    options = [word for pair in mapping for word in ("--map", pair)]
    lines = run(IMPORT, out, "import", "ann/sums", *options, "--out", out)
    assert "5 rationales = 5 correct" in lines
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    [file] = manifest["imported"]["files"]
    name = f"ann/sums@{NEW}"
    assert (file["file"], file["checksum"], file["num_rows"]) == (name, name, 5)
    assert lines[-1].endswith(" 0")  # the exit code of verify
