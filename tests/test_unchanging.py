"""What may never change under work on the code: keys, seeds, prompts, variants' rows.

A build finds its finished requests by their keys, so an old build can be continued only
while the same question gives the same key. The values are compared with those in
tests/golden/unchanging, and taken from the command line where it shows them. A table is
written once, when it is new:

    python -m tests.test_unchanging NAME ...    # writes tests/golden/unchanging/NAME.json
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.generate.chains import request_seed
from cotbuild.builder.imports.recipes import builtin_recipes
from cotbuild.prompts.response_format import answer_format, choice_format
from cotbuild.prompts.template import builtin_templates, render_messages
from cotbuild.schemas.question import Question
from tests.support.commands import HERE, invoke, rows

GOLDEN = HERE / "golden" / "unchanging"
Values = dict[str, Any]

QUESTIONS: dict[str, list[dict[str, Any]]] = {
    "choice": [
        {
            "id": "c1",
            "question": "What keeps a tent down?",
            "choices": ["a peg", "a lamp", "wind"],
            "answer": "A",
        },
        {
            "id": "c2",
            "question": "Wo wächst Moos, für $5?",
            "choices": ["im Schatten", "auf «Schnee»"],
            "answer": "A",
        },
        {
            "id": "c3",
            "question": "Which swims?\nOnly one does.",
            "choices": ["a hammer", "a trout"],
            "answer": "B",
        },
    ],
    "yes_no": [
        {"id": "y1", "question": "Does butter melt in the sun?", "answer": "yes"},
        {"id": "y2", "question": "Is «3 < 2»?", "answer": "no"},
        {"id": "y3", "question": "Is slate a stone?", "answer": "yes"},
    ],
    "number": [
        {"id": "n1", "question": "How many are 3 × 4?", "answer": "12"},
        {"id": "n2", "question": "How much is half of -3?", "answer": "-1.5"},
        {
            "id": "n3",
            "question": "A bell rings 1,000 times a day. How often in two days?",
            "answer": "2000",
        },
    ],
    "text": [
        {"id": "t1", "question": "What does a kite need?", "answer": "wind"},
        {"id": "t2", "question": "Où est Tōkyō (東京) ?", "answer": "Japan"},
        {
            "id": "t3",
            "question": "What melts first, butter or slate?",
            "answer": "butter",
        },
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
DIALS = [
    "--set",
    "teacher.scripted.length_frac=0.4",
    "--set",
    "teacher.scripted.no_answer_frac=0.2",
]
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
OTHER_SETTINGS: dict[str, tuple[str, Sequence[object]]] = {
    "system prompt": ("choice", ["--system", "Du bist knapp."]),
    "system prompt, json": ("number", ["--system", "Be brief.", "--decode", "json"]),
    "exemplars": ("choice", ["--exemplars", "train:2"]),
    "exemplars, json": ("choice", ["--exemplars", "train:2", "--decode", "json"]),
    "exemplars of numbers": ("number", ["--exemplars", "train:1"]),
    "exemplars of numbers, json": (
        "number",
        ["--exemplars", "train:2", "--decode", "json"],
    ),
    "label first": ("choice", ["--template", "choice_label_first@1"]),
    "label first, json": (
        "choice",
        ["--template", "choice_label_first@1", "--decode", "json"],
    ),
    "zero shot": ("text", ["--template", "text_zero_shot@1"]),
    "greedy": ("choice", ["--temperature", "0", "--samples", "1"]),
    "another seed": ("choice", ["--seed", "9007199254740991"]),
    "sampling": (
        "yes_no",
        ["--top-p", "0.9", "--max-tokens", "33", *EVERY_SAMPLING_FIELD],
    ),
    "longer tokens": (
        "number",
        [
            "--max-tokens",
            "20",
            "--on-length",
            "longer",
            "--set",
            "longer_tokens=50",
            *DIALS,
        ],
    ),
}


# -- what is frozen ----------------------------------------------------------------------------------------------------


def write_rows(path: Path, values: list[dict[str, Any]]) -> Path:
    """Write JSON Lines, and return the path."""
    path.write_text(
        "".join(json.dumps(value) + "\n" for value in values), encoding="utf-8"
    )
    return path


def write_source(folder: Path, kind: str) -> Path:
    """Write the questions of a kind, with their rationales where they have one, and return the path."""
    found = [
        {**row, "rationale": RATIONALES[row["id"]]} if row["id"] in RATIONALES else row
        for row in QUESTIONS[kind]
    ]
    return write_rows(folder / f"{kind}.jsonl", found)


def steps_of(row: Values) -> str:
    """Return each request of a row by its purpose and the first 16 digits of its key, that of its rationale first."""
    steps = [row, *row["other_steps"]]
    return " ".join(f"{step['purpose']}:{step['request_key'][:16]}" for step in steps)


def generated_keys(folder: Path, kind: str, words: Sequence[object]) -> dict[str, str]:
    """Build with the scripted teacher, two samples unless `words` set it, and return the requests of each row."""
    out = Path(tempfile.mkdtemp(dir=folder))
    source = write_source(folder, kind)
    invoke(
        "generate",
        "--source",
        source,
        "--kind",
        kind,
        "--teacher",
        "scripted",
        "--samples",
        2,
        "--out",
        out,
        *words,
    )
    return {
        f"{row['question_id']}.{row['sample_index']}": steps_of(row)
        for row in rows(out)
    }


def request_keys(folder: Path, lengths: Sequence[str] = LENGTHS) -> Values:
    """Return the requests of every kind under every way of asking, and of some further settings."""
    found = {}
    for kind, mode, decode, on_length in product(QUESTIONS, MODES, DECODES, lengths):
        words = ["--mode", mode, "--decode", decode, "--on-length", on_length, *DIALS]
        found[f"{kind}, {mode}, {decode}, {on_length}"] = generated_keys(
            folder, kind, words
        )
    for name, (kind, settings) in OTHER_SETTINGS.items():
        found[name] = generated_keys(folder, kind, settings)
    return found


def import_keys(folder: Path) -> Values:
    """Return the keys of imported rows, from two files with lists of texts."""
    source = write_source(folder, "choice")
    first = write_rows(
        folder / "first.jsonl",
        [
            {
                "id": "c1",
                "said": [
                    "A peg holds it. The answer is A.",
                    "Ein Hering hält. The answer is A.",
                ],
            },
            {"id": "c3", "said": "Fins. The answer is B."},
        ],
    )
    second = write_rows(
        folder / "second.jsonl", [{"id": "c2", "said": "Schatten. The answer is A."}]
    )
    out = folder / "imported"
    invoke(
        "import",
        first,
        second,
        "--map",
        "id=id",
        "--map",
        "text=said",
        "--source",
        source,
        "--out",
        out,
    )
    return {
        f"{row['question_id']}.{row['sample_index']}": row["request_key"]
        for row in rows(out)
    }


def request_seeds(_: Path) -> Values:
    """Return seeds of requests by build seed, question and sample."""
    table = product((0, 1, 2**53 - 1), ("q", "choice-01", "東京"), (0, 1, 63))
    return {
        f"{seed} {question_id} {index}": request_seed(seed, question_id, index)
        for seed, question_id, index in table
    }


def question_of(kind: str) -> Question:
    """Return the first question of a kind as a record."""
    row = QUESTIONS[kind][0]
    choices = [
        {"label": label, "text": text}
        for label, text in zip("ABC", row.get("choices", ()), strict=False)
    ]
    source = {
        "dataset": "golden",
        "config_name": None,
        "split": "train",
        "revision": None,
        "row": 0,
    }
    value = {
        "id": row["id"],
        "kind": kind,
        "text": row["question"],
        "choices": choices,
        "target": row["answer"],
    }
    return Question.parse({**value, "other_targets": [], "source": source}, "question")


def messages(_: Path) -> Values:
    """Return the fingerprint of every shipped template and a digest of the messages it makes of one question."""
    found = {}
    for ref, template in builtin_templates().items():
        if template.kind.value not in QUESTIONS or template.follow_up is not None:
            continue
        turns = [
            [turn.role, turn.content]
            for turn in render_messages(template, question_of(template.kind.value))
        ]
        found[ref] = {"fingerprint": template.fingerprint, "messages": sha256(turns)}
    return found


def response_formats(_: Path) -> Values:
    """Return what a server is told of the form of an answer, in the order in which it is sent."""
    formats: dict[str, Callable[[Question], object]] = {
        "rationale, answer": answer_format,
        "answer, rationale": lambda question: answer_format(
            question, answer_first=True
        ),
        "answer": choice_format,
    }
    return {
        f"{kind}: {name}": json.dumps(of(question_of(kind)))
        for kind in QUESTIONS
        for name, of in formats.items()
    }


def recipes(_: Path) -> Values:
    """Return the fingerprint of every shipped recipe of an import."""
    return {ref: recipe.fingerprint for ref, recipe in builtin_recipes().items()}


def variant_refs(version: int) -> list[str]:
    """Return the variants that shipped with a version and need no file and no tokenizer."""
    lines = (HERE / "golden" / "variant_fingerprints.txt").read_text().splitlines()
    refs = [line.split()[0] for line in lines]
    return [
        ref
        for ref in refs
        if ref.endswith(f"@{version}")
        and not any(part in ref for part in ("pieces", "attributed", "listed"))
    ]


def variant_rows(folder: Path, version: int = 1) -> Values:
    """Return, by seed and variant, the number of training rows and a digest of them: bundled questions, two samples."""
    build = folder / "build"
    invoke(
        "generate",
        "--teacher",
        "scripted",
        "--samples",
        2,
        "--eval-splits",
        "test",
        "--out",
        build,
    )
    found = {}
    for seed in (0, 3):
        refs = variant_refs(version)
        invoke("variants", build, "--only", ",".join(refs), "--seed", seed)
        for name in (ref.partition("@")[0] for ref in refs):
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
    "variant_rows_2": partial(variant_rows, version=2),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name == "request_keys" else name
        for name in TABLES
    ],
)
def test_nothing_changed(name: str, tmp_path: Path) -> None:
    frozen = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    values = TABLES[name](tmp_path)
    # New templates and recipes may come; what there was stays.
    assert {key: values.get(key) for key in frozen} == frozen


def test_no_request_changed_where_texts_that_were_cut_are_asked_for_again(
    tmp_path: Path,
) -> None:
    """Half of the table; the chains of the other half begin with the same requests."""
    frozen = json.loads((GOLDEN / "request_keys.json").read_text(encoding="utf-8"))
    values = request_keys(tmp_path, ["longer"])
    assert values == {key: frozen[key] for key in values}
    assert 2 * len(values) > len(frozen)


def test_the_frozen_requests_cover_every_purpose_and_texts_that_are_asked_for_again() -> (
    None
):
    frozen = json.loads((GOLDEN / "request_keys.json").read_text(encoding="utf-8"))
    steps = [
        step
        for chains in frozen.values()
        for chain in chains.values()
        for step in chain.split()
    ]
    assert {step.partition(":")[0] for step in steps} == {
        "elicit",
        "rationalize",
        "choose",
    }
    for mode, decode in product(MODES, DECODES):
        keep, longer = (
            [frozen[f"{kind}, {mode}, {decode}, {what}"] for kind in QUESTIONS]
            for what in LENGTHS
        )
        assert keep != longer


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            values = json.dumps(
                TABLES[name](Path(folder)), indent=1, ensure_ascii=False
            )
        (GOLDEN / f"{name}.json").write_text(values + "\n", encoding="utf-8")
