"""Small builds of our own making for cards, and releases of them."""

import json
from pathlib import Path
from typing import Any

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.card import ReleaseFacts, combine_licences
from cotbuild.builder.release.rebuild import rebuild_commands
from cotbuild.builder.storage.parquet import read_rows
from cotbuild.schemas.manifest import Manifest
from tests.support.commands import invoke

QUESTIONS = [
    (
        "q1",
        "What keeps a tent from flying off?",
        ["a peg", "a lamp"],
        "A",
        "Wind lifts cloth, and a peg holds it. The answer is A.",
    ),
    (
        "q2",
        "What does a kite need?",
        ["a cellar", "wind"],
        "B",
        "Kites rise on moving air, on wind. The answer is B.",
    ),
    (
        "q3",
        "Where does moss like to grow?",
        ["in shade", "on snow"],
        "A",
        "Moss dries out in the sun. The answer is A.",
    ),
    (
        "q4",
        "What melts first in the sun?",
        ["butter", "slate"],
        "A",
        "Slate is a stone and stays as it is. The answer is B.",
    ),
    (
        "q5",
        "What does a bell do?",
        ["it rings", "it grows"],
        "A",
        "A bell is struck, and rings, so it rings. The answer is A.",
    ),
    (
        "q6",
        "Which of them swims?",
        ["a hammer", "a trout"],
        "B",
        "A trout has fins; a hammer sinks. The answer is B.",
    ),
]


def generated(folder: Path) -> Path:
    """A build of the bundled questions, all kinds, by the scripted teacher."""
    out = folder / "generated"
    invoke("generate", "--teacher", "scripted", "--eval-splits", "test", "--out", out)
    return out


def imported(folder: Path) -> Path:
    """A build of rationales of our own writing with the paper's variants."""
    questions, texts, out = (
        folder / "garden.jsonl",
        folder / "said.jsonl",
        folder / "imported",
    )
    asked = [
        {"id": i, "question": q, "choices": c, "answer": a}
        for i, q, c, a, _ in QUESTIONS
    ]
    questions.write_text("".join(json.dumps(row) + "\n" for row in asked))
    texts.write_text(
        "".join(json.dumps({"id": i, "said": said}) + "\n" for i, *_, said in QUESTIONS)
    )
    words = [
        "--map",
        "text=said",
        "--map",
        "id=id",
        "--made-by",
        "people of ours",
        "--licence",
        "CC BY-SA 4.0",
    ]
    invoke("import", texts, *words, "--source", questions, "--out", out)
    invoke("variants", out)
    return out


def released(build: Path, **changes: Any) -> tuple[Manifest, ReleaseFacts]:
    """The build's manifest and a release of it, without what differs between versions
    of cotbuild or pyarrow.
    """
    manifest = StoredBuild.open(build).manifest
    files = [entry.model_copy(update={"num_bytes": 1}) for entry in manifest.files]
    manifest = manifest.model_copy(
        update={"files": files, "cotbuild": "0", "run": None}
    )
    firsts = {
        entry.config_name: build / entry.path for entry in reversed(manifest.files)
    }
    parts = {"the questions": manifest.source.licence}
    if manifest.imported is not None:
        parts["the rationales"] = manifest.imported.licence
    given: dict[str, Any] = {
        "repo": "ann/garden",
        "tag": "v1.0.0",
        "licence": combine_licences(parts),
        "rebuild": rebuild_commands(StoredBuild.open(build).config, manifest),
        "languages": ("en",),
        "examples": {name: next(read_rows(path)) for name, path in firsts.items()},
        "pictures": {
            name: f"pictures/{name}.png" for name in ("verdicts", "lengths", "variants")
        },
        "published": "2026-11-24",
    }
    return manifest, ReleaseFacts(**{**given, **changes})
