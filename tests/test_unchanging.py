"""What may never change under work on the code: keys, seeds, prompts, what variants make, and studies on disk.

A request key finds finished work, so a build made years ago goes on only while the same question gives the same key. The
values in tests/golden/unchanging are read through the command line where it shows them. They are written once:

    python -m tests.test_unchanging NAME ...    # adds tests/golden/unchanging/NAME.json, for a new table alone
"""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.imports import builtin_recipes
from cotbuild.builder.modes import request_seed
from cotbuild.builder.study.files import read_cells
from cotbuild.prompts.constrain import answer_format, choice_format
from cotbuild.prompts.render import render
from cotbuild.prompts.template import builtin_templates
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question
from cotbuild.student.evaluate import EVALUATION_VERSION
from tests.commands import DATA, HERE, cotbuild, here, rows

GOLDEN = HERE / "golden" / "unchanging"
STUDY = HERE.parent / "docs" / "studies" / "palm-csqa"
Values = dict[str, Any]

QUESTIONS: dict[str, list[dict[str, Any]]] = {
    "choice": [
        {"id": "c1", "question": "What keeps a tent down?", "choices": ["a peg", "a lamp", "wind"], "answer": "A"},
        {"id": "c2", "question": "Wo wächst Moos, für $5?", "choices": ["im Schatten", "auf «Schnee»"], "answer": "A"},
        {"id": "c3", "question": "Which swims?\nOnly one does.", "choices": ["a hammer", "a trout"], "answer": "B"},
    ],
    "yes_no": [
        {"id": "y1", "question": "Does butter melt in the sun?", "answer": "yes"},
        {"id": "y2", "question": "Is «3 < 2»?", "answer": "no"},
        {"id": "y3", "question": "Is slate a stone?", "answer": "yes"},
    ],
    "number": [
        {"id": "n1", "question": "How many are 3 × 4?", "answer": "12"},
        {"id": "n2", "question": "How much is half of -3?", "answer": "-1.5"},
        {"id": "n3", "question": "A bell rings 1,000 times a day. How often in two days?", "answer": "2000"},
    ],
    "text": [
        {"id": "t1", "question": "What does a kite need?", "answer": "wind"},
        {"id": "t2", "question": "Où est Tōkyō (東京) ?", "answer": "Japan"},
        {"id": "t3", "question": "What melts first, butter or slate?", "answer": "butter"},
    ],
}
RATIONALES = {
    "c1": "Wind lifts cloth, and a peg holds it.",
    "c2": "Moos trocknet in der Sonne aus.",
    "c3": "A trout has fins; a hammer sinks.",
    "n1": "Three fours are 4 + 4 + 4.",
    "n2": "Half of 3 is 1.5, and the sign stays.",
    "n3": "Twice 1,000 is 2,000.",
}
MODES = ("elicit", "rationalize", "elicit-then-rationalize")
DECODES = ("free", "json", "choice")
LENGTHS = ("keep", "longer")
DIALS = ["--set", "teacher.scripted.length_frac=0.4", "--set", "teacher.scripted.no_answer_frac=0.2"]
"""So that texts are cut and answers are missing, which decides what is asked next."""
EVERY_SAMPLING_FIELD = [
    word
    for setting in (
        "top_k=20",
        "min_p=0.05",
        "presence_penalty=0.5",
        "frequency_penalty=-0.25",
        "repetition_penalty=1.1",
        'stop=["\\n\\n"]',
    )
    for word in ("--set", f"sampling.{setting}")
]
OTHER_SETTINGS: dict[str, tuple[str, list[object]]] = {
    "system prompt": ("choice", ["--system", "Du bist knapp."]),
    "system prompt, json": ("number", ["--system", "Be brief.", "--decode", "json"]),
    "exemplars": ("choice", ["--exemplars", "train:2"]),
    "exemplars, json": ("choice", ["--exemplars", "train:2", "--decode", "json"]),
    "exemplars of numbers": ("number", ["--exemplars", "train:1"]),
    "exemplars of numbers, json": ("number", ["--exemplars", "train:2", "--decode", "json"]),
    "label first": ("choice", ["--template", "choice_label_first@1"]),
    "label first, json": ("choice", ["--template", "choice_label_first@1", "--decode", "json"]),
    "zero shot": ("text", ["--template", "text_zero_shot@1"]),
    "greedy": ("choice", ["--temperature", "0", "--samples", "1"]),
    "another seed": ("choice", ["--seed", "9007199254740991"]),
    "sampling": ("yes_no", ["--top-p", "0.9", "--max-tokens", "33", *EVERY_SAMPLING_FIELD]),
    "longer tokens": ("number", ["--max-tokens", "20", "--on-length", "longer", "--set", "longer_tokens=50", *DIALS]),
}


# -- what is frozen ----------------------------------------------------------------------------------------------------


def write_rows(path: Path, values: list[dict[str, Any]]) -> Path:
    """Write JSON Lines, and return the path."""
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


def write_source(folder: Path, kind: str) -> Path:
    """Write the questions of a kind, with their rationales where they have one, and return the path."""
    found = [{**row, "rationale": RATIONALES[row["id"]]} if row["id"] in RATIONALES else row for row in QUESTIONS[kind]]
    return write_rows(folder / f"{kind}.jsonl", found)


def steps_of(row: Values) -> str:
    """Return each request of a row by its purpose and the first 16 digits of its key, that of its rationale first."""
    steps = [row, *row["other_steps"]]
    return " ".join(f"{step['purpose']}:{step['request_key'][:16]}" for step in steps)


def generated_keys(folder: Path, kind: str, words: list[object]) -> dict[str, str]:
    """Build with the scripted teacher, two samples unless `words` say otherwise, and return the requests of each row."""
    out = Path(tempfile.mkdtemp(dir=folder))
    source = write_source(folder, kind)
    here("generate", "--source", source, "--kind", kind, "--teacher", "scripted", "--samples", 2, "--out", out, *words)
    return {f"{row['question_id']}.{row['sample_index']}": steps_of(row) for row in rows(out)}


def request_keys(folder: Path) -> Values:
    """Return the requests of every kind under every way of asking, and of some further settings."""
    found = {}
    for kind, mode, decode, on_length in product(QUESTIONS, MODES, DECODES, LENGTHS):
        words = ["--mode", mode, "--decode", decode, "--on-length", on_length, *DIALS]
        found[f"{kind}, {mode}, {decode}, {on_length}"] = generated_keys(folder, kind, list(words))
    for name, (kind, words) in OTHER_SETTINGS.items():
        found[name] = generated_keys(folder, kind, words)
    return found


def import_keys(folder: Path) -> Values:
    """Return the keys of imported rows, from two files with lists of texts."""
    source = write_source(folder, "choice")
    first = write_rows(
        folder / "first.jsonl",
        [
            {"id": "c1", "said": ["A peg holds it. The answer is A.", "Ein Hering hält. The answer is A."]},
            {"id": "c3", "said": "Fins. The answer is B."},
        ],
    )
    second = write_rows(folder / "second.jsonl", [{"id": "c2", "said": "Schatten. The answer is A."}])
    out = folder / "imported"
    here("import", first, second, "--map", "id=id", "--map", "text=said", "--source", source, "--out", out)
    return {f"{row['question_id']}.{row['sample_index']}": row["request_key"] for row in rows(out)}


def request_seeds(_: Path) -> Values:
    """Return seeds of requests by build seed, question and sample."""
    table = product((0, 1, 2**53 - 1), ("q", "choice-01", "東京"), (0, 1, 63))
    return {
        f"{seed} {question_id} {index}": request_seed(seed, question_id, index) for seed, question_id, index in table
    }


def question_of(kind: str) -> Question:
    """Return the first question of a kind as a record."""
    row = QUESTIONS[kind][0]
    choices = [{"label": label, "text": text} for label, text in zip("ABC", row.get("choices", ()), strict=False)]
    source = {"dataset": "golden", "config_name": None, "split": "train", "revision": None, "row": 0}
    value = {"id": row["id"], "kind": kind, "text": row["question"], "choices": choices, "target": row["answer"]}
    return Question.parse({**value, "other_targets": [], "source": source}, "question")


def messages(_: Path) -> Values:
    """Return the fingerprint of every shipped template and a digest of the messages it makes of one question."""
    found = {}
    for ref, template in builtin_templates().items():
        turns = [[turn.role, turn.content] for turn in render(template, question_of(template.kind.value))]
        found[ref] = {"fingerprint": template.fingerprint, "messages": sha256(turns)}
    return found


def response_formats(_: Path) -> Values:
    """Return what a server is told of the form of an answer, in the order in which it is sent."""
    formats: dict[str, Callable[[Question], object]] = {
        "rationale, answer": answer_format,
        "answer, rationale": lambda question: answer_format(question, answer_first=True),
        "answer": choice_format,
    }
    return {f"{kind}: {name}": json.dumps(of(question_of(kind))) for kind in QUESTIONS for name, of in formats.items()}


def recipes(_: Path) -> Values:
    """Return the fingerprint of every shipped recipe of an import."""
    return {ref: recipe.fingerprint for ref, recipe in builtin_recipes().items()}


def variant_names() -> list[str]:
    """Return the shipped variants that need no file and no tokenizer."""
    lines = (HERE / "golden" / "variant_fingerprints.txt").read_text().splitlines()
    names = [line.split("@")[0] for line in lines]
    return [name for name in names if not any(part in name for part in ("pieces", "attributed", "listed"))]


def variant_rows(folder: Path) -> Values:
    """Return, by seed and variant, the number of training rows and a digest of them: bundled questions, two samples."""
    build = folder / "build"
    here("generate", "--teacher", "scripted", "--samples", 2, "--eval-splits", "test", "--out", build)
    found = {}
    for seed in (0, 3):
        here("variants", build, "--only", ",".join(variant_names()), "--seed", seed)
        for name in variant_names():
            made = rows(build, name)
            found[f"seed {seed}, {name}"] = f"{len(made)} rows, {sha256(made)[:16]}"
    return found


def sha256(value: object) -> str:
    """Return the digest of a value's JSON, independent of the package's own digests."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


TABLES: dict[str, Callable[[Path], Values]] = {
    "request_keys": request_keys,
    "import_keys": import_keys,
    "request_seeds": request_seeds,
    "messages": messages,
    "response_formats": response_formats,
    "recipes": recipes,
    "variant_rows": variant_rows,
}


@pytest.mark.parametrize("name", TABLES)
def test_nothing_changed(name: str, tmp_path: Path) -> None:
    frozen = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert TABLES[name](tmp_path) == frozen


def test_every_purpose_is_among_the_frozen_requests() -> None:
    text = (GOLDEN / "request_keys.json").read_text(encoding="utf-8")
    frozen = json.loads(text)
    assert {purpose for purpose in ("elicit", "rationalize", "choose") if f"{purpose}:" in text} == {
        "elicit",
        "rationalize",
        "choose",
    }
    for kind, mode, decode in product(QUESTIONS, MODES, DECODES):
        assert frozen[f"{kind}, {mode}, {decode}, keep"] != frozen[f"{kind}, {mode}, {decode}, longer"]


# -- the committed study -----------------------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the committed study, with the working folder beside it."""
    monkeypatch.chdir(tmp_path)
    yield Path(shutil.copytree(STUDY, tmp_path / "study")) / "STUDY.yaml"


def test_a_cell_still_has_the_fingerprint_of_all_that_decides_it() -> None:
    cells = read_cells(STUDY)
    assert len(cells) == 32
    for cell in cells.values():
        assert cell.test is not None
        trained = cell.training
        label_only = next(c.training.spec for k, c in cells.items() if k.variant == "label_only" and c.training)
        decides = {
            "config": trained.config.model_dump(mode="json") if trained else None,
            "student": cell.identity,
            "rows": trained.rows if trained else None,
            "spec": (trained.spec if trained else label_only).fingerprint,
            "test": cell.test.evaluated.rows,
            "evaluation": EVALUATION_VERSION,
        }
        assert digest("cell/1", decides) == cell.fingerprint


def test_its_report_can_be_drawn_of_the_cells_alone(study: Path) -> None:
    shutil.rmtree(study.parent / "report")
    cotbuild("study", study, "--report-only")
    for name in ("comparisons.csv", "seeds.csv", "recipes.csv"):
        assert (study.parent / "report" / name).read_bytes() == (STUDY / "report" / name).read_bytes()


@pytest.mark.needs_data
def test_run_again_as_its_readme_says_it_finds_every_cell(study: Path) -> None:
    files = [DATA / "rationales" / "palm_commonsense_qa" / f"train_CoT_{number}.json" for number in range(10)]
    order = DATA / "rationales" / "human_cose" / "cose_train_v1.11.jsonl"
    source = ["--source", DATA / "commonsense_qa", "--split", "train", "--eval-splits", "dev", "--order-from", order]
    cotbuild("import", *files, "--format", "palm_commonsense_qa", *source, "--out", "builds/palm-csqa")
    names = {path.name.split(".")[0] for path in (STUDY / "cells").iterdir()}
    cotbuild("variants", "builds/palm-csqa", "--only", ",".join(sorted(names)))
    before = {path.name: path.read_bytes() for path in (study.parent / "cells").iterdir()}
    assert "training" not in cotbuild("study", study).stderr
    assert {path.name: path.read_bytes() for path in (study.parent / "cells").iterdir()} == before
    assert (study.parent / "touches.jsonl").read_bytes() == (STUDY / "touches.jsonl").read_bytes()


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            values = json.dumps(TABLES[name](Path(folder)), indent=1, ensure_ascii=False)
        (GOLDEN / f"{name}.json").write_text(values + "\n", encoding="utf-8")
