"""`cotbuild import`: what is said, what is written, and what a wrong use is answered
with.
"""

import json
from pathlib import Path

import pytest

from cotbuild.builder.cli.import_ import SHIPPED
from cotbuild.builder.imports import builtin_recipes
from tests.support.commands import DATA, invoke, published, rows, write_questions

TEXTS = ["Which is wet?", "Which is dry?", "Which is both?"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_questions(tmp_path / "q.jsonl", TEXTS)


def write_rationales(path: Path, pairs: list[tuple[str, str | list[str]]]) -> Path:
    path.write_text(
        "".join(
            json.dumps({"q": question, "why": text}) + "\n" for question, text in pairs
        )
    )
    return path


def words(files: Path, source: Path, out: Path) -> list[object]:
    return [
        "import",
        files,
        "--map",
        "text=why",
        "--map",
        "question=q",
        "--source",
        source,
        "--out",
        out,
    ]


def test_an_import_says_what_became_of_every_text_and_runs_once(
    source: Path, tmp_path: Path
) -> None:
    pairs: list[tuple[str, str | list[str]]] = [
        (TEXTS[0], ["It floats. The answer is B.", "It sinks. The answer is (A)."]),
        (TEXTS[2], "it   FLOATS. The answer is B."),
        ("Which is not there?", "No idea."),
    ]
    files, out = write_rationales(tmp_path / "r.jsonl", pairs), tmp_path / "b"
    done = invoke(*words(files, source, out))
    understood, *lines = done.stderr.splitlines()
    assert understood.startswith("source q.jsonl/train: JSON Lines: choice questions")
    assert understood.endswith("(change with --source-map, --kind, --target-is)")
    assert lines == [
        "3 rows in 1 file: 4 texts = 3 rationales, left out: 1 no_question; 1 question without a rationale",
        "r.jsonl row 2 (from 0): no_question: 'which is not there?'",
    ]
    counts, texts, without, place, following = done.stdout.splitlines()
    assert counts == "3 rationales = 2 correct + 1 incorrect"
    assert texts == "4 texts = 3 rationales + 1 no_question"
    assert without == "questions without a rationale: 1"
    assert place.startswith(f"{out}  fingerprint ")
    assert following == f"next: cotbuild inspect {out}"
    found = rows(out)
    assert [(row["sample_index"], row["origin"]) for row in found] == [
        (0, {"file": "r.jsonl", "row": 0, "position": 0}),
        (1, {"file": "r.jsonl", "row": 0, "position": 1}),
        (0, {"file": "r.jsonl", "row": 1, "position": 0}),
    ]
    assert [row["flags"] for row in found] == [[], [], ["duplicate"]]
    invoke("verify", out)
    before = published(out)
    again = invoke(*words(files, source, out)).stdout.splitlines()
    assert again[0] == "no open requests, no server started: the build is up to date"
    write_rationales(files, pairs[:2])
    changed = invoke(*words(files, source, out))
    assert "this run replaces the 3 rationales there" in changed.stderr
    write_rationales(files, pairs)
    invoke(*words(files, source, out))
    assert published(out) == before
    assert (
        invoke(
            "generate", "--config", out / "build.json", "--out", tmp_path / "c"
        ).stderr
        == done.stderr
    )
    assert published(tmp_path / "c") == before


def test_a_build_of_answers_that_an_import_replaces_keeps_its_answers(
    source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "b"
    generate = ["generate", "--source", source, "--teacher", "scripted", "--out", out]
    invoke(*generate)
    before = published(out)
    invoke(
        *words(
            write_rationales(
                tmp_path / "r.jsonl", [(TEXTS[0], "So. The answer is A.")]
            ),
            source,
            out,
        )
    )
    assert published(out) != before
    assert "no open requests" in invoke(*generate).stdout
    assert published(out) == before


@pytest.mark.parametrize("spelling", ["--licence", "--license"])
def test_the_card_says_who_wrote_them_and_under_which_licence(
    source: Path, tmp_path: Path, spelling: str
) -> None:
    files = write_rationales(tmp_path / "r.jsonl", [(TEXTS[0], "So. The answer is A.")])
    invoke(
        *words(files, source, tmp_path / "b"),
        "--made-by",
        "A. Person",
        spelling,
        "CC BY 4.0",
    )
    card = (tmp_path / "b" / "README.md").read_text()
    assert "- Written by: A. Person\n" in card
    assert "- Stated licence: CC BY 4.0\n" in card
    assert str(tmp_path) not in card


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ([], 2, "rows with the columns ['q', 'why'] have none of the forms chat, "),
        (
            ["--format", "nope"],
            2,
            "recipe 'nope': not known. Pass a .yaml file, or one of chatgpt_openbookqa@1",
        ),
        (
            ["--format", "cose", "--map", "text=why"],
            2,
            "--format 'cose' with --map. Pass one or the other",
        ),
        (["--format", "cose", "--made-by", "me"], 2, "--format 'cose' with --made-by"),
        (
            ["--map", "text=why"],
            2,
            "joins texts to questions by order. Pass the questions",
        ),
        (
            ["--map", "text=why", "--join", "luck", "--source", "bundled"],
            2,
            "join is 'luck'",
        ),
        (
            ["--map", "text=nope", "--map", "question=q", "--source", "SOURCE"],
            2,
            "no column 'nope' for text in the first rows. It must be one of ['q', 'why']",
        ),
    ],
)
def test_a_wrong_use_is_one_line(
    source: Path, tmp_path: Path, more: list[str], code: int, message: str
) -> None:
    files = write_rationales(tmp_path / "r.jsonl", [(TEXTS[0], "So.")])
    more = [str(source) if word == "SOURCE" else word for word in more]
    done = invoke("import", files, *more, "--out", tmp_path / "b", code=code)
    [line] = done.stderr.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "no file of rationales. Pass one, or --source"),
        (
            ["--source", "SOURCE", "--map", "text=why", "--target-shown"],
            "--map, --target-shown without a file of rationales, for which they are.",
        ),
        (["--source", "SOURCE"], "no column named rationale among"),
    ],
)
def test_an_import_without_files_takes_the_rationales_of_the_source(
    source: Path, tmp_path: Path, more: list[str], message: str
) -> None:
    more = [str(source) if word == "SOURCE" else word for word in more]
    done = invoke("import", *more, "--out", tmp_path / "b", code=2)
    [line] = done.stderr.splitlines()
    assert message in line


def test_a_recognised_file_needs_no_option_and_its_hints_can_be_typed(
    tmp_path: Path,
) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"How many chairs are in room {i}?"},
                {"role": "assistant", "content": f"Therefore, there are {i} chairs."},
            ],
            "answer": i,
            "said": str(i),
        }
        for i in range(5)
    ]
    files = tmp_path / "chat.jsonl"
    files.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "b"
    done = invoke("import", files, "--out", out)
    form, understood, _, warning, *lines = done.stderr.splitlines()
    assert form.startswith("chat.jsonl: read as chat (chat messages with role and")
    assert understood.endswith("(change with --map, --kind)")
    assert warning.startswith("warning: 5 of 5 texts state no answer")
    invoke("verify", out)
    hints = [line.split(", if ")[0].split() for line in lines if "--" in line]
    assert len(hints) == 5
    verdicts = []
    for option, *value in hints:
        words = [word.replace("COLUMN", "said") for word in value]
        again = invoke("import", files, option, *words, "--dry-run", "--out", tmp_path)
        verdicts.append("5 rationales = 5 correct" in again.output)
    assert verdicts.count(True) >= 2  # the closing sentence, and the answers' column


def test_questions_in_the_rows_need_no_source(tmp_path: Path) -> None:
    row = {
        "q": "Which?",
        "why": "It floats. The answer is B.",
        "gold": "B",
        "opts": ["a stone", "a cork"],
    }
    files = tmp_path / "r.jsonl"
    files.write_text(json.dumps(row) + "\n")
    pairs = ["text=why", "question=q", "target=gold", "choices=opts"]
    mapping = [word for pair in pairs for word in ("--map", pair)]
    done = invoke("import", files, *mapping, "--dry-run", "--out", tmp_path / "b")
    assert "1 rationale = 1 correct" in done.output
    twice = invoke("import", files, *mapping, "--join", "inside", "--source", "bundled",
        "--dry-run", "--out", tmp_path / "b", code=2)  # fmt: skip
    assert "--source 'bundled' with --join inside" in twice.output


def test_an_unknown_join_of_a_recognised_file_is_one_line(tmp_path: Path) -> None:
    files = tmp_path / "r.jsonl"
    files.write_text('{"question": "Which?", "response": "The answer is 4."}\n')
    done = invoke("import", files, "--join", "luck", "--out", tmp_path / "b", code=2)
    line = "error: --join is 'luck'. Use one of id, question, order, inside.\n"
    assert done.output == line


def test_a_dry_run_writes_nothing(source: Path, tmp_path: Path) -> None:
    files = write_rationales(tmp_path / "r.jsonl", [(TEXTS[0], "So. The answer is A.")])
    done = invoke(*words(files, source, tmp_path / "b"), "--dry-run")
    assert done.stdout.splitlines()[1:] == [
        "1 row in 1 file: 1 text = 1 rationale, left out: none; 2 questions without a rationale",
        "1 rationale = 1 incorrect",
    ]
    assert not (tmp_path / "b").exists()


def test_the_help_names_every_recipe() -> None:
    assert SHIPPED.split(", ") == [recipe.name for recipe in builtin_recipes().values()]


@pytest.mark.needs_data
def test_a_published_set_by_its_recipe(tmp_path: Path) -> None:
    files = DATA / "rationales" / "human_cose" / "cose_dev_v1.11.jsonl"
    questions = DATA / "commonsense_qa" / "dev_rand_split.jsonl"
    done = invoke(
        "import",
        files,
        "--format",
        "cose",
        "--source",
        questions,
        "--out",
        tmp_path / "b",
    )
    assert done.stdout.splitlines()[:2] == [
        "1221 rationales = 1221 correct",
        "1221 texts = 1221 rationales",
    ]
    assert all(row["purpose"] == "rationalize" for row in rows(tmp_path / "b"))
