"""Imported rows are derived again from what a release holds."""

import json
from pathlib import Path

from tests.support.commands import invoke, rows

# Id, text, what the column of answers holds, rule of the row.
ROWS = [
    ("a", "Rocks are hard. The answer is B.", "B", "answer_column"),
    ("b", "It is soft. The answer is A.", None, "answer_is"),
    ("c", "It is green. The answer is A.", "Q", "answer_column"),
    ("d", "It is wet. The answer is B.", "A", "answer_column"),
    ("e", '<think>{"answer": "B"}</think> So {"answer": "A"}', "", "json_field"),
    ("f", "I do not know.", None, None),
]


def test_answers_of_a_column_and_of_texts_are_told_apart(tmp_path: Path) -> None:
    file, out = tmp_path / "rows.jsonl", tmp_path / "build"
    file.write_text(
        "".join(
            json.dumps(
                {"id": name, "question": f"Which is it, {name}?", "choices": ["moss", "granite"],
                 "answer": "A", "said": text, "stated": stated}
            ) + "\n"
            for name, text, stated, _ in ROWS
        )
    )  # fmt: skip
    columns = ["--map", "text=said", "--map", "id=id", "--map", "answer=stated"]
    invoke("import", file, *columns, "--source", file, "--out", out)
    assert [row["answer_rule"] for row in rows(out)] == [rule for *_, rule in ROWS]
    assert (
        "6 imported rationales: keys and rows derived again"
        in invoke("verify", out).stdout
    )
