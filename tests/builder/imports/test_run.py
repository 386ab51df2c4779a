"""Imports of small files: every form, every join, and what becomes of what does not
fit.
"""

from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.imports import load_recipe, recipe_from_mapping
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.import_recipe import ImportDropReason, ImportRecipe
from cotbuild.schemas.rationale import Flag, Origin, Purpose, Rationale, Verdict
from tests.builder.imports.conftest import Bring, Write

LEAVES = "It grows on a bush. The answer is (A)."
CUP = "A sieve leaks. The answer is (B)."
HOT = "Most like it warm. The answer is (A)."
COLD = "In summer with ice. The answer is (B)."


def said(rows: list[Rationale]) -> list[tuple[str, int, str | None, str | None]]:
    return [
        (row.question_id, row.sample_index, row.completion, row.answer) for row in rows
    ]


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "parquet"])
@pytest.mark.parametrize(
    "columns",
    [
        {"text": "why", "id": "key"},
        {"text": "why", "question": "asked"},
        {"text": "why", "question": "asked", "choices": "options"},
    ],
)
def test_every_form_by_id_and_question(
    write: Write, bring: Bring, asked: Path, form: str, columns: dict[str, str]
) -> None:
    rows = [
        {
            "key": "q2",
            "asked": " what is TEA\tserved in?",
            "options": '["A sieve", "a  cup"]',
            "why": CUP,
        },
        {
            "key": "q1",
            "asked": "What is tea made of?",
            "options": '["leaves", "stones"]',
            "why": LEAVES,
        },
        {
            "key": "q9",
            "asked": "What is coffee?",
            "options": '["leaves", "stones"]',
            "why": "Who knows.",
        },
    ]
    found = bring(write(f"r.{form}", rows), asked, columns)
    assert said(list(found.rows())) == [("q1", 0, LEAVES, "A"), ("q2", 0, CUP, "B")]
    assert (found.num_rows, found.entry.num_texts, found.entry.dropped) == (
        2,
        3,
        {"no_question": 1},
    )
    assert found.entry.num_questions_without == 2
    (missing,) = found.unmatched
    assert (missing.file, missing.row, missing.reason) == (
        f"r.{form}",
        2,
        ImportDropReason.NO_QUESTION,
    )
    assert "q9" in missing.what or "what is coffee?" in missing.what


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "parquet"])
def test_every_form_by_order_over_several_files(
    write: Write, bring: Bring, asked: Path, form: str
) -> None:
    files = [
        write(f"{i}.{form}", [{"why": text} for text in texts])
        for i, texts in enumerate([[LEAVES], [CUP, HOT, COLD]])
    ]
    found = bring(files, asked, {"text": "why"})
    rows = list(found.rows())
    expected = [
        ("q1", 0, LEAVES, "A"),
        ("q2", 0, CUP, "B"),
        ("q3", 0, HOT, "A"),
        ("q4", 0, COLD, "B"),
    ]
    assert said(rows) == expected
    assert [row.origin for row in rows[:2]] == [
        Origin(file=f"0.{form}", row=0, position=0),
        Origin(file=f"1.{form}", row=0, position=0),
    ]
    assert [(file.file, file.num_rows) for file in found.entry.files] == [
        (f"0.{form}", 1),
        (f"1.{form}", 3),
    ]


def test_bare_texts_in_the_order_of_another_file(
    write: Write, bring: Bring, asked: Path
) -> None:
    order = write("order.jsonl", [{"id": name} for name in ("q4", "q1", "gone", "q2")])
    found = bring(
        write("r.json", [COLD, LEAVES, "x", [CUP, CUP]]), asked, {"text": "."}, order
    )
    expected = [
        ("q1", 0, LEAVES, "A"),
        ("q2", 0, CUP, "B"),
        ("q2", 1, CUP, "B"),
        ("q4", 0, COLD, "B"),
    ]
    assert said(list(found.rows())) == expected
    assert found.entry.dropped == {"no_question": 1}
    assert found.entry.order_from is not None
    assert (found.entry.order_from.file, found.entry.order_from.num_rows) == (
        "order.jsonl",
        4,
    )


@pytest.mark.parametrize(("texts", "ids"), [(3, None), (5, None), (3, 4), (4, 3)])
def test_a_count_that_is_not_that_of_the_order_is_refused(
    write: Write, bring: Bring, asked: Path, texts: int, ids: int | None
) -> None:
    order = (
        None
        if ids is None
        else write("order.jsonl", [{"id": f"q{i}"} for i in range(ids)])
    )
    whose = "order.jsonl" if ids else "tea.jsonl/train"
    expected = f"r.json: {texts} rows in 1 files to be joined by order. Expected {ids or 4}, one for each row of {whose}"
    with pytest.raises(DataError, match=expected):
        bring(write("r.json", [LEAVES] * texts), asked, {"text": "."}, order)


def test_an_order_counts_rows_of_the_split_and_not_of_a_slice(
    write: Write, bring: Bring, asked: Path
) -> None:
    found = bring(
        write("r.json", [LEAVES, CUP, HOT, COLD]), asked, {"text": "."}, rows="1:3"
    )
    assert said(list(found.rows())) == [("q2", 0, CUP, "B"), ("q3", 0, HOT, "A")]
    assert found.entry.dropped == {"left_out": 2}
    assert found.unmatched == []


def test_an_order_counts_bad_rows_of_the_source_too(write: Write, bring: Bring) -> None:
    source = write(
        "s.jsonl",
        [
            {"id": "a", "question": "One?", "answer": "x"},
            {"id": "b"},
            {"id": "c", "question": "Two?", "answer": "y"},
        ],
    )
    found = bring(
        write("r.json", ["The answer is x.", "The answer is q.", "The answer is y."]),
        source,
        {"text": "."},
        on_bad_row="drop",
    )
    assert [(row.question_id, row.answer, row.verdict) for row in found.rows()] == [
        ("a", "x", Verdict.CORRECT),
        ("c", "y", Verdict.CORRECT),
    ]
    assert found.entry.dropped == {"bad_question": 1}
    assert "missing_field: question is None" in found.unmatched[0].what


@pytest.mark.parametrize("join", ["id", "question"])
def test_a_text_whose_question_is_bad_says_why(
    write: Write, bring: Bring, join: str
) -> None:
    options = ["red", "blue"]
    questions = [
        {"id": "a", "question": "One?", "choices": options, "answer": "A"},
        {"id": "b", "question": "Two?", "choices": options, "answer": "green"},
    ]
    source = write("s.jsonl", questions)
    rows = [
        {"id": name, "question": text, "t": "It is red. The answer is A."}
        for name, text in (("a", "One?"), ("b", "Two?"), ("c", "Three?"))
    ]
    columns = {"text": "t", join: join}
    found = bring(write("r.jsonl", rows), source, columns, on_bad_row="drop")
    assert found.entry.dropped == {"bad_question": 1, "no_question": 1}
    bad, missing = found.unmatched
    assert bad.what.startswith("\"bad_target: target is 'green'")
    assert missing.reason is ImportDropReason.NO_QUESTION


def test_several_texts_of_a_question_are_its_samples(
    write: Write, bring: Bring, asked: Path
) -> None:
    rows = [
        {"id": "q1", "t": [LEAVES, CUP]},
        {"id": "q2", "t": CUP},
        {"id": "q1", "t": [HOT]},
    ]
    found = list(bring(write("r.jsonl", rows), asked, {"text": "t", "id": "id"}).rows())
    assert [(r.question_id, r.sample_index, r.completion) for r in found] == [
        ("q1", 0, LEAVES),
        ("q1", 1, CUP),
        ("q1", 2, HOT),
        ("q2", 0, CUP),
    ]
    assert [(r.origin.row, r.origin.position) for r in found if r.origin] == [
        (0, 0),
        (0, 1),
        (2, 0),
        (1, 0),
    ]
    assert len({r.request_key for r in found}) == 4


@pytest.mark.parametrize(
    ("texts", "expected", "dropped"),
    [
        ([HOT, COLD], [("q3", 0, HOT, "A"), ("q4", 0, COLD, "B")], {}),
        ([HOT], [], {"ambiguous": 1}),
        ([HOT, HOT, COLD], [], {"ambiguous": 3}),
    ],
)
@pytest.mark.parametrize("rows", [None, "0:3", ":2"])
def test_questions_written_alike(
    write: Write,
    bring: Bring,
    asked: Path,
    texts: list[str],
    expected: list[Any],
    dropped: dict[str, int],
    rows: str | None,
) -> None:
    """Dealt out one to one; which is whose does not depend on the slice of the source."""
    file = [{"q": "Tea is drunk", "t": text} for text in texts] + [
        {"q": "What is tea made of?", "t": LEAVES}
    ]
    found = bring(
        write("r.jsonl", file), asked, {"text": "t", "question": "q"}, rows=rows
    )
    last = {None: "q4", "0:3": "q3", ":2": "q2"}[rows]
    kept = [("q1", 0, LEAVES, "A"), *(row for row in expected if row[0] <= last)]
    assert said(list(found.rows())) == kept
    left_out = len(expected) + 1 - len(kept)
    assert found.entry.dropped == {
        **dropped,
        **({"left_out": left_out} if left_out else {}),
    }


def test_choices_inside_the_question_tell_like_stems_apart(
    write: Write, bring: Bring
) -> None:
    questions = [("x", ["hot", "cold"]), ("y", ["black", "green"])]
    source = write(
        "s.jsonl",
        [
            {"id": i, "question": "Tea is", "choices": c, "answer": "A"}
            for i, c in questions
        ],
    )
    rows = [
        {
            "ask": "Q: Tea is Answer choices: A: black, B: green",
            "why": "It is black. The answer is A",
        },
        {
            "ask": "Q: Tea is Answer choices: A: hot, B: cold",
            "why": "It is hot. The answer is A",
        },
        {"ask": "Q: Tea is Answer choices: A: hot", "why": "?"},
    ]
    value = load_recipe("llama3_openbookqa").model_dump() | {
        "columns": {"text": "why", "question": "ask"}
    }
    found = bring(write("r.json", rows), source, ImportRecipe.parse(value, ""))
    assert [(row.question_id, row.rationale) for row in found.rows()] == [
        ("x", "It is hot."),
        ("y", "It is black."),
    ]
    assert found.entry.dropped == {"no_question": 1}


def test_a_line_head_of_the_question_form_ends_the_turn(
    write: Write, bring: Bring
) -> None:
    asked = {"id": "x", "question": "Tea is", "choices": ["hot", "cold"], "answer": "A"}
    text = "It is hot. The answer is A.\nText: Ice is\nThe answer is B."
    value = load_recipe("llama3_openbookqa").model_dump() | {
        "columns": {"text": "why", "question": "ask"},
        "question_form": "Text: $question",
    }
    found = bring(
        write("r.json", [{"ask": "Text: Tea is", "why": text}]),
        write("s.jsonl", [asked]),
        ImportRecipe.parse(value, ""),
    )
    assert [row.answer for row in found.rows()] == ["A"]


BAD: list[tuple[Any, str]] = [
    (
        {"id": "q1"},
        r"r.jsonl row 1 \(from 0\): text is None. Expected a text, or a list of texts. Fix the row or pass",
    ),
    ({"id": "q1", "t": None}, r"text is None"),
    ({"id": "q1", "t": []}, r"text is \[\]"),
    ({"id": "q1", "t": 7}, r"text is 7"),
    ({"id": "q1", "t": [None]}, r"text is None"),
    ({"id": "q1", "t": "\ud800"}, r"text has a lone surrogate at character 0"),
    ({"t": LEAVES}, r"id is None, not a text"),
    ("q1", r"the row is 'q1'. not a JSON object"),
]


@pytest.mark.parametrize(("row", "message"), BAD)
def test_a_bad_row_stops_or_is_counted(
    write: Write, bring: Bring, asked: Path, row: Any, message: str
) -> None:
    path = write("r.jsonl", [{"id": "q2", "t": CUP}, row, {"id": "q1", "t": LEAVES}])
    columns = {"text": "t", "id": "id"}
    with pytest.raises(DataError, match=message):
        bring(path, asked, columns)
    found = bring(path, asked, columns, on_bad_row="drop")
    assert said(list(found.rows())) == [("q1", 0, LEAVES, "A"), ("q2", 0, CUP, "B")]
    assert (found.entry.num_texts, found.entry.dropped) == (3, {"bad_row": 1})
    assert [(bad.row, bad.reason) for bad in found.unmatched] == [
        (1, ImportDropReason.BAD_ROW)
    ]


def test_one_bad_text_of_a_list_takes_no_other_along(
    write: Write, bring: Bring, asked: Path
) -> None:
    path = write("r.jsonl", [{"id": "q1", "t": [LEAVES, None, HOT]}])
    found = bring(path, asked, {"text": "t", "id": "id"}, on_bad_row="drop")
    assert [
        (row.completion, row.origin.position) for row in found.rows() if row.origin
    ] == [(LEAVES, 0), (HOT, 2)]
    assert found.entry.dropped == {"bad_row": 1}


def test_an_empty_text_is_what_was_said(
    write: Write, bring: Bring, asked: Path
) -> None:
    (row,) = bring(
        write("r.jsonl", [{"id": "q1", "t": ""}]), asked, {"text": "t", "id": "id"}
    ).rows()
    assert (row.completion, row.rationale, row.answer, row.verdict) == (
        "",
        "",
        None,
        Verdict.NO_ANSWER,
    )
    assert Flag.EMPTY in row.flags


def test_at_most_20_unmatched_are_kept_and_all_are_counted(
    write: Write, bring: Bring, asked: Path
) -> None:
    rows = [
        {"id": "q1", "t": LEAVES},
        *({"id": "z" * 200 + str(i), "t": CUP} for i in range(30)),
    ]
    found = bring(write("r.jsonl", rows), asked, {"text": "t", "id": "id"})
    assert found.entry.dropped == {"no_question": 30}
    assert [missing.row for missing in found.unmatched] == list(range(1, 21))
    assert all(len(missing.what) == 80 for missing in found.unmatched)


def test_nothing_matched_is_an_error(write: Write, bring: Bring, asked: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"none of 1 texts has a question of tea.jsonl/train \(join by id; .*'x9'\)",
    ):
        bring(
            write("r.jsonl", [{"id": "x9", "t": LEAVES}]),
            asked,
            {"text": "t", "id": "id"},
        )


@pytest.mark.parametrize(
    ("value", "answer", "verdict"),
    [
        ("(a)", "A", Verdict.CORRECT),
        ("leaves", "A", Verdict.CORRECT),
        ("B", "B", Verdict.INCORRECT),
        ("neither", None, Verdict.NO_ANSWER),
        (None, "B", Verdict.INCORRECT),  # nothing there: what the text says
    ],
)
def test_an_answer_column_counts_before_the_text(
    write: Write,
    bring: Bring,
    asked: Path,
    value: str | None,
    answer: str | None,
    verdict: Verdict,
) -> None:
    path = write(
        "r.jsonl",
        [{"id": "q1", "t": "Stones are hard. The answer is (B).", "a": value}],
    )
    (row,) = bring(path, asked, {"text": "t", "id": "id", "answer": "a"}).rows()
    assert (row.answer, row.verdict, row.rationale) == (
        answer,
        verdict,
        "Stones are hard.",
    )


def test_a_list_of_answers_goes_along_with_a_list_of_texts(
    write: Write, bring: Bring, asked: Path
) -> None:
    path = write("r.jsonl", [{"id": "q1", "t": ["One.", "Two."], "a": ["B", "A"]}])
    rows = bring(path, asked, {"text": "t", "id": "id", "answer": "a"}).rows()
    assert [(row.rationale, row.answer) for row in rows] == [
        ("One.", "B"),
        ("Two.", "A"),
    ]


@pytest.mark.parametrize(
    ("answer", "target", "read"),
    [
        ("18", "18", "18"),
        ("true", True, "yes"),
        ("Paris", "Paris", "Paris"),
        ("many", "18", None),
    ],
)
def test_an_answer_column_of_any_kind(
    write: Write, bring: Bring, answer: str, target: Any, read: str | None
) -> None:
    source = write("s.jsonl", [{"id": "1", "question": "Well?", "answer": target}])
    path = write("r.jsonl", [{"id": "1", "t": "Thus.", "a": answer}])
    (row,) = bring(path, source, {"text": "t", "id": "id", "answer": "a"}).rows()
    assert (row.answer, row.verdict is Verdict.CORRECT) == (read, read is not None)


def test_the_row_says_where_it_came_from(
    write: Write, bring: Bring, asked: Path
) -> None:
    path = write("r.jsonl", [{"id": "q2", "deep": {"why": [CUP]}}])
    recipe = recipe_from_mapping(
        {"text": "deep.why", "id": "id"},
        made_by="Ann",
        licence="CC0",
        target_shown=True,
    )
    found = bring(path, asked, recipe)
    (row,) = found.rows()
    assert (row.teacher, row.template, row.purpose) == (
        "Ann",
        "mapping@1",
        Purpose.RATIONALIZE,
    )
    assert (row.dataset, row.split, row.row) == ("tea.jsonl", "train", 1)
    assert (row.finish_reason, row.failure, row.prompt_tokens, row.other_steps) == (
        None,
        None,
        None,
        (),
    )
    checksum = found.entry.files[0].checksum
    assert row.request_key == digest("import/1", [checksum, 0, 0])
    assert (found.entry.made_by, found.entry.licence, found.entry.fingerprint) == (
        "Ann",
        "CC0",
        recipe.fingerprint,
    )


def test_files_that_bring_their_questions(write: Write, bring: Bring) -> None:
    rows = [
        {
            "q": "What is tea made of?",
            "o": ["leaves", "stones"],
            "gold": "leaves",
            "t": LEAVES,
        },
        {
            "q": "What is tea served in?",
            "o": ["a sieve", "a cup"],
            "gold": "a cup",
            "t": CUP,
        },
        {
            "q": "What is tea made of?",
            "o": ["leaves", "stones"],
            "gold": "leaves",
            "t": HOT,
        },
    ]
    recipe = recipe_from_mapping(
        {"text": "t", "question": "q", "choices": "o", "target": "gold"}, join="inside"
    )
    found = bring(write("mine_test.jsonl", rows), None, recipe)
    made = list(found.rows())
    assert [
        (row.question, row.sample_index, row.target, row.completion) for row in made
    ] == [
        ("What is tea made of?", 0, "A", LEAVES),
        ("What is tea made of?", 1, "A", HOT),
        ("What is tea served in?", 0, "B", CUP),
    ]
    assert {(row.dataset, row.split) for row in made} == {("mine_test.jsonl", "test")}
    assert [question.source.row for question in found.questions()] == [0, 1]
    assert found.source.checksum("test") == found.entry.files[0].checksum
    first = bring(write("mine_test.jsonl", rows), None, recipe, limit=1)
    assert (first.num_rows, first.entry.dropped) == (2, {"left_out": 1})


def test_questions_inside_without_targets_are_unscored(
    write: Write, bring: Bring
) -> None:
    recipe = recipe_from_mapping({"text": "t", "question": "q"}, join="inside")
    (row,) = bring(write("r.jsonl", [{"q": "Why?", "t": "So."}]), None, recipe).rows()
    assert (row.target, row.verdict) == (None, Verdict.UNSCORED)


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("r.csv", "a\n", ConfigError, r"r.csv: text=. needs a JSON list of texts"),
        ("r.json", "[1", DataError, r"r.json: not JSON"),
        (
            "r.json",
            '{"a": 1}',
            DataError,
            r"r.json: holds {'a': 1}, not a list of texts",
        ),
        ("r.txt", "a", DataError, r"r.txt: its first lines are neither JSON"),
        ("gone.json", None, DataError, r"gone.json: cannot be read"),
    ],
)
def test_a_file_that_is_no_list_of_texts_is_refused(
    tmp_path: Path,
    bring: Bring,
    asked: Path,
    name: str,
    content: str | None,
    error: type[Exception],
    message: str,
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(error, match=message):
        bring(tmp_path / name, asked, {"text": "."})


def test_an_order_file_without_ids_is_refused(
    write: Write, bring: Bring, asked: Path
) -> None:
    order = write("order.jsonl", [{"id": "q1"}, {"key": "q2"}])
    with pytest.raises(DataError, match=r"order.jsonl row 1 \(from 0\): id is None"):
        bring(write("r.json", [LEAVES, CUP]), asked, {"text": "."}, order)
