"""Columns that become inputs and tags of questions."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.cli.args import parse_tags
from cotbuild.builder.media import BadImage
from cotbuild.builder.sources import Source, open_source
from cotbuild.builder.sources.inputs import is_image
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import ImageRef, Input, Question
from tests.support.commands import invoke

Write = Callable[..., Path]
Ask = Callable[..., tuple[list[Question], Source]]
ROW = {
    "question": "Is it cold?",
    "answer": "yes",
    "hint": " It snows. ",
    "facts": ["snow is cold", " ", "ice too"],
    "grade": 3.0,
    "meta": {"subject": "physics"},
}


def texts(question: Question) -> dict[str, str]:
    return {one.name: str(one.text) for one in question.inputs}


@pytest.mark.parametrize(
    ("columns", "inputs"),
    [
        ({"hint": "hint"}, {"hint": "It snows."}),
        ({"hint": "facts"}, {"hint": "snow is cold\nice too"}),
        ({"grade": "grade"}, {"grade": "3"}),
        ({"subject": "meta.subject"}, {"subject": "physics"}),
        ({"hint": "hint,grade"}, {"hint": "It snows. 3.0"}),
        ({"hint": r"{hint}\n({grade})"}, {"hint": "It snows.\n(3.0)"}),
        ({"hint": ""}, {}),
        ({"hint": "", "other": "hint"}, {"other": "It snows."}),
    ],
)
def test_any_name_can_be_mapped_to_an_input(
    columns: dict[str, str], inputs: dict[str, str], write: Write, ask: Ask
) -> None:
    (question,), source = ask(write("a.jsonl", [ROW]), columns=columns)
    assert texts(question) == inputs
    assert source.input_names("train") == tuple(inputs)


def test_inputs_have_the_order_of_their_columns(write: Write, ask: Ask) -> None:
    path = write("a.jsonl", [ROW])
    columns = {"facts": "facts", "hint": "hint", "subject": "meta.subject"}
    backwards = dict(reversed(columns.items()))
    (one,), _ = ask(path, columns=columns)
    (other,), _ = ask(path, columns=backwards)
    assert list(texts(one)) == ["hint", "facts", "subject"]
    assert one == other


def test_an_empty_cell_is_no_input(write: Write, ask: Ask) -> None:
    rows = [{**ROW, "hint": value} for value in (None, "", "  ", [], ["", None])]
    questions, source = ask(
        write("a.jsonl", [ROW, *rows]), columns={"hint": "hint"}, on_bad_row="drop"
    )
    assert [texts(question) for question in questions] == [{"hint": "It snows."}] + [
        {}
    ] * 5
    assert source.input_names("train") == ("hint",)


def test_ids_from_the_content_cover_inputs_and_those_without_stay(
    write: Write, ask: Ask
) -> None:
    rows = [{**ROW, "hint": hint} for hint in ("One.", "Two.", None)]
    path = write("a.jsonl", rows)
    questions, _ = ask(path, columns={"hint": "hint"})
    plain, _ = ask(path)
    assert len({question.id for question in questions}) == 3
    assert questions[2].id == plain[0].id == "ddd71d76a40f2111"


def test_overlap_compares_inputs_too(write: Write) -> None:
    rows = [{**ROW, "hint": hint} for hint in ("One.", "Two.")]
    folder = write("set/train.jsonl", rows).parent
    write("set/test.jsonl", rows[:1])
    for columns, count in (({"hint": "hint"}, 1), ({}, 2)):
        config = SourceConfig(name=str(folder), eval_splits=("test",), columns=columns)
        source = open_source(config)
        list(source.read("train"))
        assert source.overlaps == {"test": count}


def test_a_split_may_lack_the_column_of_an_input_or_tag(write: Write) -> None:
    folder = write("set/train.jsonl", [ROW]).parent
    write("set/test.jsonl", [{"question": "Is it hot?", "answer": "no"}])
    columns, tags = {"hint": "hint"}, {"grade": "grade"}
    source = open_source(SourceConfig(name=str(folder), columns=columns, tags=tags))
    assert (source.input_names("train"), source.input_names("test")) == (("hint",), ())
    (question,) = source.read("test")
    assert (question.inputs, question.tags) == ((), ())


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"anwser": "answer"}, "--map anwser=answer: no such field. Pass --map target=answer if"),
        ({"quesiton": "hint"}, "Pass --map question=hint if that is meant, or give the input anoth"),
        ({"text": "hint"}, "Pass --map question=hint if that is meant"),
        ({"label": "answer"}, "Pass --map target=answer if that is meant"),
        ({"choice": "facts"}, "Pass --map choices=facts if that is meant"),
        ({"Hint": "hint"}, "--map Hint=hint: no such field, and no name for an input. Use a field, id"),
        ({"inputs": "hint"}, "--map inputs=hint: no such field, and no name for an input"),
        ({"hint": "nowhere"}, "no column 'nowhere' in its rows, which have ['question', 'answer'"),
        ({"hint": "meta.x"}, "--map hint=meta.x: in the first rows 'meta' has no field 'x'"),
        ({"hint": "{hint"}, "--map hint={hint has a lone brace"),
        ({"id": "{hint}"}, "a form in braces is for question and inputs"),
    ],
)  # fmt: skip
def test_names_that_are_slips_are_refused(
    columns: dict[str, str], message: str, write: Write, ask: Ask
) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(write("a.jsonl", [ROW]), columns=columns)
    assert message in str(caught.value)


def test_a_cell_that_is_no_text_is_a_bad_row(write: Write, ask: Ask) -> None:
    rows = [ROW, {**ROW, "hint": {"a": 1}}, {**ROW, "grade": [["x"]]}]
    path = write("a.jsonl", rows)
    settings = {"columns": {"hint": "hint"}, "tags": {"grade": "grade"}}
    _, source = ask(path, **settings, on_bad_row="drop")
    assert source.drops == {"missing_field": 2}
    with pytest.raises(DataError, match=r"input 'hint' is .'a': 1., not a text"):
        ask(path, **settings)


@pytest.mark.parametrize("text", ["a\ud800", "a\0b", "\udfff\ud800"])
@pytest.mark.parametrize("what", ["columns", "tags"])
def test_no_text_has_a_surrogate_or_nul(
    what: str, text: str, write: Write, ask: Ask
) -> None:
    path = write("a.jsonl", [ROW, {**ROW, "hint": text}])
    _, source = ask(path, **{what: {"hint": "hint"}}, on_bad_row="drop")
    assert source.drops == {"bad_question": 1}


def test_tags_are_facts_that_nobody_is_shown(write: Write, ask: Ask) -> None:
    path = write("a.jsonl", [ROW, {**ROW, "grade": None, "meta": {"subject": "art"}}])
    tags = {"grade": "grade", "subject": "meta.subject"}
    (first, second), source = ask(path, tags=tags)
    assert [(tag.name, tag.value) for tag in first.tags] == [("grade", "3"), ("subject", "physics")]  # fmt: skip
    assert [tag.value for tag in second.tags] == ["art"]
    assert first.full_text == second.full_text == "Is it cold?"
    assert "tags: grade, subject from meta.subject" in str(source.read_as("train"))
    with pytest.raises(
        ConfigError, match="--tag topic=topic: no column 'topic' in its"
    ):
        ask(path, tags={"topic": "topic"})


def test_the_reading_says_what_the_inputs_are(write: Write) -> None:
    path = write("a.jsonl", [{**ROW, "picture": "a.png"}])
    source = open_source(
        SourceConfig(
            name=str(path),
            columns={"hint": "hint", "image": "picture", "lecture": "facts"},
        )
    )
    line = str(source.read_as("train"))
    assert (
        "inputs: hint, lecture from facts, image from picture (picture); target" in line
    )
    assert "not used: grade, meta (change" in line
    assert source.image_names("train") == ("image",)


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        (["subject"], {"subject": "subject"}),
        (["topic=Subject", "x=a.b"], {"topic": "Subject", "x": "a.b"}),
        ([], None),
    ],
)
def test_tags_of_the_command_line(
    given: list[str], tags: dict[str, str] | None
) -> None:
    assert parse_tags(given) == tags


@pytest.mark.parametrize("given", ["Subject", "=a", "a=", "two words"])
def test_tags_without_a_name_are_refused(given: str) -> None:
    with pytest.raises(
        ConfigError, match="is not NAME=COLUMN, such as subject=Subject"
    ):
        parse_tags([given])


# -- pictures --------------------------------------------------------------------------


class Pictures:
    """Takes any bytes or text for a picture of one pixel, but for "bad"."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def load(self, value: object) -> ImageRef:
        content = value["bytes"] if isinstance(value, dict) else value
        if content == "bad":
            raise BadImage("the picture is bad")
        data = content if isinstance(content, bytes) else str(content).encode()
        sha256 = hashlib.sha256(data).hexdigest()
        return ImageRef(sha256=sha256, media_type="image/png", width=1, height=1)

    def prefetch(self, values: Iterable[object]) -> None:
        self.asked += values


def read_pictures(path: Path, **config: Any) -> tuple[list[Question], Source]:
    source = open_source(SourceConfig.parse({"name": str(path), **config}, "config"))
    source.images = Pictures()
    return list(source.read(source.split)), source


def test_pictures_stand_among_the_inputs_and_in_the_id(write: Write) -> None:
    rows = [
        {"question": "What is it?", "image": image, "hint": "A pet."}
        for image in ("a.png", "b.png", ["a.png"], "", None)
    ]
    path = write("a.jsonl", rows)
    columns = {"image": "image", "hint": "hint", "target": ""}
    questions, source = read_pictures(path, columns=columns)
    assert [[one.name for one in question.inputs] for question in questions] == [["image", "hint"]] * 3 + [["hint"]] * 2  # fmt: skip
    ids = [question.id for question in questions]
    assert ids[2] == f"{ids[0]}#2"
    assert len(set(ids)) == 5
    assert questions[0].images == questions[2].images != questions[1].images
    assert isinstance(source.images, Pictures)
    assert source.images.asked == ["a.png", "b.png", "a.png"]


def test_a_bad_picture_is_a_bad_row(write: Write) -> None:
    rows = [{"id": str(i), "question": "?x", "image": image} for i, image in enumerate(["a", "bad"])]  # fmt: skip
    path = write("a.jsonl", rows)
    columns = {"image": "image", "target": ""}
    (question,), source = read_pictures(path, columns=columns, on_bad_row="drop")
    assert (question.id, source.drops) == ("0", {"bad_image": 1})
    with pytest.raises(
        DataError, match=r"row 1 \(from 0\): input 'image': the picture is"
    ):
        read_pictures(path, columns=columns)


def test_a_source_whose_pictures_nothing_keeps_stops(write: Write) -> None:
    path = write("a.jsonl", [{"question": "What?", "image": "a.png"}])
    columns = {"image": "image", "target": ""}
    source = open_source(SourceConfig(name=str(path), columns=columns))
    source.images = None
    with pytest.raises(ConfigError, match="Pass --map image= to leave it out"):
        list(source.read("train"))


def test_bytes_are_pictures_whatever_the_name(tmp_path: Path) -> None:
    import datasets

    path = tmp_path / "train.parquet"
    rows = {"question": ["What?"], "scan": [{"bytes": b"\x89PNG", "path": None}]}
    features = datasets.Features(
        {"question": datasets.Value("string"), "scan": datasets.Image()}
    )
    datasets.Dataset.from_dict(rows, features=features).to_parquet(path)
    (question,), source = read_pictures(path, columns={"scan": "scan", "target": ""})
    assert source.image_names("train") == ("scan",)
    assert question.inputs == (Input(name="scan", image=Pictures().load(b"\x89PNG")),)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"x", True),
        ({"bytes": b"x", "path": None}, True),
        ({"bytes": None, "path": "a.png"}, True),
        ({"bytes": b"x"}, True),
        ({"path": "a.png"}, False),
        ({"bytes": 1, "path": 2, "size": 3}, False),
        ("a.png", False),
        (None, False),
    ],
)
def test_is_image(value: object, expected: bool) -> None:
    assert is_image(value) is expected


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["sources"], "hint: It snows. target: yes tags: grade=3, topic=physics"),
        (["generate", "--dry-run", "--teacher", "scripted", "--out", "b"], r"Hint: It snows.\nQuestion: Is it cold?"),
        (["generate", "--dry-run", "--teacher", "scripted", "--out", "b"], "inputs: hint; target answer as yes or no (1 of 1 rows tell); tags: grade, topic from meta.subject"),
    ],
)  # fmt: skip
def test_the_command_line(words: list[str], shown: str, write: Write) -> None:
    command, *options = words
    path = str(write("a.jsonl", [ROW]))
    source = [path] if command == "sources" else ["--source", path]
    options += ["--map", "hint=hint", "--tag", "grade", "--tag", "topic=meta.subject"]
    output = " ".join(invoke(command, *source, *options).output.split())
    assert shown in output
