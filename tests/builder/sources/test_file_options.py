"""How a user names a file's format, the place of its rows, and files side by side."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.sources import Source, describe_source, open_source
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, CotbuildError, DataError
from cotbuild.schemas.question import Question
from tests.support.commands import invoke
from tests.support.compressed import gzipped

Write = Callable[..., Path]
Ask = Callable[..., tuple[list[Question], Source]]

ROW = '{"id": "a", "question": "q", "answer": 1}\n'


def test_text_files_side_by_side(write: Write, ask: Ask) -> None:
    questions = write("q.test.txt", "Why?\r\nHow, then?\n").resolve()
    targets = write("a.txt.gz", gzipped(b"so\nthus"))
    found, source = ask(f"question={questions},target={targets}")
    assert [(q.text, q.target, q.source.row) for q in found] == [
        ("Why?", "so", 0),
        ("How, then?", "thus", 1),
    ]
    name = "question=q.test.txt,target=a.txt.gz"
    assert (source.dataset, source.split) == (name, "test")
    assert len(source.checksum("test")) == 64
    lines = list(describe_source(source.config))
    assert "text files side by side" in " ".join(" ".join(lines).split())
    assert not any(str(questions.parent) in line for line in lines)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (["Why?\nHow?\n", "so\n"], "a.txt: 1 lines, fewer than another of q.txt, a.txt"),
        (["Why?\n\n", "so\nthus\n"], "row 1 (from 0): question is ''"),
        ([b"caf\xe9\n", "so\n"], "byte 3 of the file is 0xe9"),
    ],
)  # fmt: skip
def test_files_side_by_side_that_do_not_fit(
    contents: list[Any], message: str, write: Write, ask: Ask
) -> None:
    files = [
        write(name, content)
        for name, content in zip(("q.txt", "a.txt"), contents, strict=True)
    ]
    with pytest.raises(DataError, match=re.escape(message)):
        ask(f"question={files[0]},target={files[1]}")


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        (
            {"name": "question=q.txt,question=a.txt"},
            ConfigError,
            "names a column twice",
        ),
        ({"name": "question=gone.txt"}, DataError, "gone.txt: cannot be read: No such"),
        (
            {"name": "question=q.txt", "rows_under": "data"},
            ConfigError,
            "Leave out --as, --rows-under and --header",
        ),
        ({"name": "arc_easy", "rows_under": "x"}, ConfigError, "are for files"),
        ({"name": "ann/sums", "file_format": "csv"}, ConfigError, "are for files"),
        ({"name": "data/questions.txt"}, ConfigError, "no such name or file"),
        ({"name": "data/questions.jsonl.gz"}, ConfigError, "no such name or file"),
        ({"name": "a.jsonl", "file_format": "xml"}, CotbuildError, "file_format"),
    ],
)
def test_options_that_do_not_fit(
    config: dict[str, Any], error: type[Exception], message: str
) -> None:
    def read() -> None:
        source = open_source(SourceConfig.parse(config, "config"))
        list(source.read(source.split))

    with pytest.raises(error, match=message):
        read()


def test_a_file_beside_its_compressed_copy_is_one_split(write: Write, ask: Ask) -> None:
    folder = write("set/train.jsonl", ROW * 2).parent
    write("set/train.jsonl.gz", gzipped(ROW.encode()))
    write("set/test.json.gz", gzipped(json.dumps([json.loads(ROW)]).encode()))
    questions, source = ask(folder, on_bad_row="drop")
    assert (len(questions), source.drops) == (1, {"duplicate_id": 1})
    assert len(list(source.read_all("test"))) == 1


def test_settings_of_files_are_absent_unless_given() -> None:
    plain = SourceConfig(name="a.jsonl").model_dump(mode="json")
    assert not {"file_format", "rows_under"} & set(plain)


SQUAD = {
    "version": "1",
    "data": [
        {"paragraphs": [{"context": "Tea.", "qas": [{"question": "q?", "answer": "a"}]}]}
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", json.dumps(SQUAD)),
        ("a.json", json.dumps({"mine": [{"question": "q?", "answer": "a"}], "v": 1}, indent=1)),
        ("a.json", json.dumps({"dev": [{"question": "q?", "answer": "a"}], "all": []}, indent=1)),
        ("a.json", json.dumps({"my rows": [{"question": "q?", "answer": "a"}], "v": 1}, indent=1)),
    ],
)  # fmt: skip
def test_the_option_in_an_error_works_when_typed(
    name: str, content: str, write: Write
) -> None:
    path = write(name, content)
    refused = invoke("sources", path, code=1)
    hint = re.search(
        r"Add: (--rows-under .*) to read", " ".join(refused.output.split())
    )
    assert hint is not None
    shown = invoke("sources", path, *shlex.split(hint[1]))
    assert "text: q?" in shown.output


INSIDE = {
    "runs": [{"outs": [{"q": "One and two?", "a": 3, "text": "So. The answer is 3."}]}]
}


@pytest.mark.parametrize(
    "words",
    [
        ["sources"],
        ["import", "--dry-run", "--out", "b"],
        ["import", "--dry-run", "--out", "b", "--map", "text=text", "--map", "question=q"],
    ],
)  # fmt: skip
def test_rows_inside_the_only_row_of_a_file(words: list[str], write: Write) -> None:
    path = write("a.jsonl", json.dumps(INSIDE))
    output = " ".join(invoke(*words, path, code=2).output.split())
    hint = re.search(r"add: (--rows-under \S+)$", output)
    assert hint is not None, output
    mapping = ["--map", "question=q", "--map"]
    mapping += ["target=a"] if words == ["sources"] else ["text=text"]
    options = [*shlex.split(hint[1]), *mapping]
    assert (
        "q: 'One" in (shown := invoke(*words, path, *options).output)
        or "1 row" in shown
    )


MMLU = "Which is it?,this,that,neither,both,B\nAnd now?,one,two,three,four,C\n"


@pytest.mark.parametrize(
    ("name", "content", "last_line"),
    [
        ("a.csv", MMLU, "target: B"),
        ("a.csv", MMLU.replace(",", ";"), "target: B"),
        ("a.tsv", MMLU.replace(",", "\t"), "target: B"),
        ("a.tsv", "How many cups are on the tray now, Ann asks.\t3\nAnd on the shelf?\t4\n", "target: 3"),
        ("a.csv", "Combien de tasses?,2\nCombien de tasses?,2\n", "target: 2"),
    ],
)  # fmt: skip
def test_a_table_without_a_header_takes_the_names_in_the_error(
    name: str, content: str, last_line: str, write: Write
) -> None:
    path = write(name, content)
    output = " ".join(invoke("sources", path, code=2).output.split())
    hint = re.search(r"such as: (--header \S+)", output)
    assert hint is not None, output
    shown = invoke("sources", path, *shlex.split(hint[1]))
    assert f"{len(content.splitlines())} rows in" in shown.output
    assert last_line in shown.output.splitlines()[-1]


def test_a_header_is_for_tables_alone(write: Write) -> None:
    path = write("a.jsonl", ROW)
    done = invoke("sources", path, "--header", "question,answer", code=2)
    assert "--header is for tables, and the file is read as jsonl" in done.output


TEXTS = ["So. The answer is 3.", "Thus. The answer is 5."]


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("t.txt", "\n".join(TEXTS), ["--as", "lines", "--join", "order"]),
        ("t", "\n".join(TEXTS), ["--as", "lines", "--join", "order"]),
        (
            "t.json",
            json.dumps({"runs": [{"outputs": [{"text": text} for text in TEXTS]}]}),
            ["--rows-under", "runs.outputs", "--join", "order"],
        ),
        ("t.csv.gz", gzipped(f"text;n\n{TEXTS[0]};1\n{TEXTS[1]};2\n".encode()), ["--join", "order"]),
    ],
)  # fmt: skip
def test_rationales_in_files_whose_format_is_named(
    name: str, content: Any, options: list[str], write: Write
) -> None:
    path = write(name, content)
    source = write("q.csv", "question,answer\nOne and two?,3\nTwo and two?,4\n")
    options = ["--map", "text=text", "--source", str(source), *options]
    done = invoke("import", path, *options, "--out", path.parent / "b", "--dry-run")
    assert "2 rationales = 1 correct + 1 incorrect" in done.output


def test_chats_in_the_cells_of_a_table(write: Write) -> None:
    lines = ["id;messages"]
    for number, text in enumerate(TEXTS):
        turns = [
            {"role": "user", "content": f"What's {number}?"},
            {"role": "assistant", "content": text},
        ]
        cell = str(turns).replace('"', '""')
        lines.append(f'{number};"{cell}"')
    path = write("chat.csv", "\n".join(lines))
    done = invoke("import", path, "--out", path.parent / "b", "--dry-run")
    assert "2 texts = 2 rationales" in done.output


def test_rationales_and_questions_side_by_side(write: Write) -> None:
    questions = write("q.txt", "One and two?\nTwo and two?\n")
    targets = write("a.txt", "3\n4\n")
    texts = write("t.txt", "\n".join(TEXTS))
    files = f"question={questions},target={targets},text={texts}"
    out = texts.parent / "b"
    invoke("import", files, "--map", "text=text", "--map", "question=question",
         "--map", "target=target", "--out", out)  # fmt: skip
    manifest = json.loads((out / "manifest.json").read_text())
    verdicts = manifest["verdicts"]
    assert (verdicts["correct"], verdicts["incorrect"]) == (1, 1)
    entry = manifest["imported"]["files"][0]
    assert entry["file"] == "question=q.txt,target=a.txt,text=t.txt"
    assert (entry["num_rows"], len(entry["checksum"])) == (2, 64)


def test_an_unknown_format_is_refused(write: Write) -> None:
    path = write("t.txt", "x")
    done = invoke("import", path, "--as", "xml", "--out", path.parent / "b", code=2)
    assert "--as 'xml' is no format. Use one of jsonl, json, csv" in done.output


def test_null_words_of_a_used_column_are_noted(write: Write) -> None:
    lines = ["question,answer,comment", "q?,nan,None", "r?,red,x", "s?,None,x"]
    path = write("a.csv", "\n".join(lines))
    output = " ".join(invoke("sources", path).output.split())
    note = "null words in column 'answer' are read as texts: 'None' in 1 row, 'nan' in"
    assert output.count(note) == 1
    assert "'comment' are read" not in output
