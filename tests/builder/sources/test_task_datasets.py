"""The known datasets with inputs: their rows, and folders in their published layout."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.sources import Source, open_source
from cotbuild.builder.sources.base import BadRow, KnownDataset
from cotbuild.builder.sources.datasets import (
    KNOWN_DATASETS,
    alma,
    esnli,
    ntrex,
    scienceqa,
    sentiment_reasoning,
)
from cotbuild.builder.sources.provenance import stated_licence
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from tests.support.commands import DATA

TASKS = DATA / "tasks"
NLI_CSV = {
    "pairID": "1.jpg#0r1n",
    "gold_label": "neutral",
    "Sentence1": "Ann drinks.",
    "Sentence2": "Ann drinks tea. ",
    "Explanation_1": "It may be milk.",
    "Explanation_2": "",
    "Explanation_3": " Not all drinks are tea.",
}
NLI_LINES = {
    "label": "neutral",
    "sentence1": "Ann drinks.",
    "sentence2": "Ann drinks tea.",
    "explanation_1": "It may be milk.",
}
SENTIMENT = {
    "Unnamed: 0": 0,
    "text": " I slept well.",
    "label": 2,
    "human_justification": " well",
}
ASR = {"text": "I slept well.", "asr": "I slept whale.", "label": "2"}
SENTIMENT_HUB = {
    "text": "Tôi ngủ ngon.",
    "text_en": "I slept well.",
    "label": 2,
    "human_justification": "ngon",
    "human_justification_en": "well",
}
PROBLEM = {
    "question": "Which is wet?",
    "choices": ["tea", "sand"],
    "answer": 0,
    "hint": "",
    "image": "image.png",
    "task": "closed choice",
    "grade": "grade2",
    "subject": "natural science",
    "topic": "physics",
    "category": "Materials",
    "skill": "Compare",
    "lecture": "Liquids are wet.",
    "solution": "Tea is a liquid.",
    "split": "test",
}
PAIR = {"translation": {"de": "Der Tee ist nass. ", "en": "The tea is wet."}}
LINES = {
    "document": "bbc.1",
    "source": "Tea is wet.",
    "target": "Tee ist nass.",
    "source_lang": "eng",
    "target_lang": "deu",
}


def ref(config_name: str | None = None) -> SourceRef:
    return SourceRef(
        dataset="d", config_name=config_name, split="test", revision=None, row=7
    )


def inputs(question: Question) -> dict[str, str]:
    return question.input_texts


def tags(question: Question) -> dict[str, str]:
    return {tag.name: tag.value for tag in question.tags}


@pytest.mark.parametrize(
    ("known", "row", "config", "text", "expected_inputs", "target"),
    [
        (
            esnli.KNOWN,
            row,
            None,
            "How does the hypothesis relate to the premise?",
            {"premise": "Ann drinks.", "hypothesis": "Ann drinks tea."},
            "B",
        )
        for row in (NLI_CSV, NLI_LINES)
    ]
    + [
        (sentiment_reasoning.KNOWN, row, None, "I slept well.", heard, "C")
        for row, heard in (
            (SENTIMENT, {}),
            (ASR, {"asr": "I slept whale."}),
            (SENTIMENT_HUB, {}),
        )
    ]
    + [
        (
            scienceqa.KNOWN,
            {**PROBLEM, "id": "4", "caption": "A cup.", "hint": "Think."},
            None,
            "Which is wet?",
            {"hint": "Think.", "caption": "A cup."},
            "A",
        ),
        (scienceqa.KNOWN, PROBLEM, None, "Which is wet?", {}, "A"),
        (
            alma.KNOWN,
            PAIR,
            "de-en",
            "Der Tee ist nass.",
            {"source_lang": "German", "target_lang": "English"},
            "The tea is wet.",
        ),
        (
            alma.KNOWN,
            PAIR,
            "en-de",
            "The tea is wet.",
            {"source_lang": "English", "target_lang": "German"},
            "Der Tee ist nass.",
        ),
        (
            ntrex.KNOWN,
            LINES,
            None,
            "Tea is wet.",
            {"source_lang": "English", "target_lang": "German"},
            "Tee ist nass.",
        ),
    ],
)
def test_rows_of_every_form(
    known: KnownDataset,
    row: Mapping[str, Any],
    config: str | None,
    text: str,
    expected_inputs: dict[str, str],
    target: str,
) -> None:
    question = known.to_question(row, ref(config))
    assert (question.kind, question.text, question.target) == (known.kind, text, target)
    assert inputs(question) == expected_inputs
    assert set(inputs(question)) <= set(known.input_names)
    matching = [name for name, one in KNOWN_DATASETS.items() if one.matches(row)]
    assert matching == [known.name]


@pytest.mark.parametrize(
    ("known", "row", "expected"),
    [
        (esnli.KNOWN, NLI_CSV, ("It may be milk.", "Not all drinks are tea.")),
        (esnli.KNOWN, NLI_LINES, ("It may be milk.",)),
        (sentiment_reasoning.KNOWN, SENTIMENT, ("well",)),
        (sentiment_reasoning.KNOWN, SENTIMENT_HUB, ("well",)),
        (sentiment_reasoning.KNOWN, ASR, ()),
        (scienceqa.KNOWN, PROBLEM, ("Liquids are wet.\nTea is a liquid.",)),
        (scienceqa.KNOWN, {**PROBLEM, "lecture": ""}, ("Tea is a liquid.",)),
        (scienceqa.KNOWN, {**PROBLEM, "solution": " "}, ()),
    ],
)
def test_rationales_of_people(
    known: KnownDataset, row: Mapping[str, Any], expected: tuple[str, ...]
) -> None:
    assert known.rationales is not None
    assert known.rationales(row) == expected
    assert known.rationales_by.startswith("people")


@pytest.mark.parametrize(
    ("known", "row", "config", "message"),
    [
        (
            esnli.KNOWN,
            {**NLI_CSV, "gold_label": "-"},
            None,
            "gold_label is '-'. Expected one of entailment, neutral, contradiction.",
        ),
        (esnli.KNOWN, {**NLI_LINES, "sentence2": None}, None, "sentence2 is None"),
        (
            sentiment_reasoning.KNOWN,
            {**SENTIMENT, "label": 3},
            None,
            "label is 3. Expected 0, 1 or 2: negative, neutral, positive.",
        ),
        (sentiment_reasoning.KNOWN, {**SENTIMENT, "text": ""}, None, "text is ''"),
        (
            scienceqa.KNOWN,
            {**PROBLEM, "answer": 2},
            None,
            "answer is 2. Expected a whole number from 0 to 1.",
        ),
        (scienceqa.KNOWN, {**PROBLEM, "answer": True}, None, "answer is True"),
        (alma.KNOWN, PAIR, "de-fr", "and the direction is de-fr"),
        (alma.KNOWN, {"translation": "x"}, "de-en", "translation is 'x'"),
        (alma.KNOWN, {"translation": {"de": "", "en": "x"}}, "de-en", "de is ''"),
        (ntrex.KNOWN, {**LINES, "target": ""}, None, "deu is ''"),
    ],
)
def test_bad_rows(
    known: KnownDataset, row: Mapping[str, Any], config: str | None, message: str
) -> None:
    with pytest.raises(BadRow) as caught:
        known.to_question(row, ref(config))
    assert message in caught.value.message


def test_what_a_question_of_science_is_reported_by() -> None:
    question = scienceqa.to_question(PROBLEM, ref())
    assert tags(question) == {
        "subject": "natural science",
        "topic": "physics",
        "grade": "grade2",
        "task": "closed choice",
        "picture": "yes",
    }
    assert scienceqa.images({**PROBLEM, "image": None}) == {}
    assert scienceqa.images(PROBLEM) == {"image": "image.png"}


# -- folders ---------------------------------------------------------------------------


def opened(path: Path, **settings: Any) -> Source:
    return open_source(SourceConfig(name=str(path), **settings))


def read(path: Path, **settings: Any) -> list[Question]:
    source = opened(path, **settings)
    return list(source.read(source.split))


@pytest.fixture
def science(tmp_path: Path) -> Path:
    folder = tmp_path / "science"
    folder.mkdir()
    problems = {
        "4": {**PROBLEM, "image": None},
        "7": {**PROBLEM, "split": "val"},
        "9": {**PROBLEM, "image": None, "solution": ""},
    }
    (folder / "problems.json").write_text(json.dumps(problems))
    (folder / "captions.json").write_text(json.dumps({"captions": {"7": "A cup."}}))
    return folder


def test_a_folder_of_science_questions(science: Path) -> None:
    questions = read(science, split="test", columns={"image": ""})
    assert [question.id for question in questions] == ["4", "9"]
    [question] = read(science, split="val", columns={"image": ""})
    assert inputs(question) == {"caption": "A cup."}
    assert question.source.split == "validation"
    source = opened(science, split="test", columns={"image": ""})
    assert list(source.read_rationales("test")) == [
        ("Liquids are wet.\nTea is a liquid.",),
        (),
    ]
    assert stated_licence(source) == (
        "that of scienceqa, if it is a copy: CC BY-NC-SA 4.0"
    )


def test_an_input_that_is_mapped_to_no_column_is_left_out(science: Path) -> None:
    left_out = {"image": "", "caption": ""}
    [question] = read(science, split="val", columns=left_out)
    assert question.inputs == ()
    assert opened(science, columns=left_out).identify_dataset("val") is scienceqa.KNOWN


def test_a_broken_file_of_captions_is_one_line(science: Path) -> None:
    (science / "captions.json").write_text('{"captions": []}')
    with pytest.raises(DataError, match=r"captions.json: captions is \[\]"):
        read(science, split="test", columns={"image": ""})


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    folder = tmp_path / "NTREX-128"
    folder.mkdir()
    (folder / "newstest2019-src.eng.txt").write_text("Tea.\nSand.\n")
    (folder / "newstest2019-ref.deu.txt").write_text("Tee.\nSand.\n")
    (folder / "newstest2019-ref.zho-CN.txt").write_text("茶。\n沙。\n")
    (tmp_path / "DOCUMENT_IDS.tsv").write_text("a.1\nb.2\n")
    return folder


@pytest.mark.parametrize(
    ("direction", "texts", "targets"),
    [
        ("eng-deu", ["Tea.", "Sand."], ["Tee.", "Sand."]),
        ("deu-eng", ["Tee.", "Sand."], ["Tea.", "Sand."]),
        ("zho-CN-deu", ["茶。", "沙。"], ["Tee.", "Sand."]),
    ],
)
def test_a_folder_of_lines_in_a_direction(
    lines: Path, direction: str, texts: list[str], targets: list[str]
) -> None:
    questions = read(lines, config_name=direction)
    assert [question.text for question in questions] == texts
    assert [question.target for question in questions] == targets
    assert [tags(question)["document"] for question in questions] == ["a.1", "b.2"]
    assert {question.kind for question in questions} == {QuestionKind.PROSE}
    assert {question.source.config_name for question in questions} == {direction}
    assert {question.source.split for question in questions} == {"test"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "NTREX-128: no direction is named. Pass --config-name SOURCE-TARGET"),
        ({"config_name": "eng-fra"}, "such as eng-deu, with two of eng, deu, zho-CN."),
        ({"config_name": "eng-deu", "split": "train"}, "no split 'train'. Pass one of"),
        ({"config_name": "eng-deu", "revision": "main"}, "{'revision': 'main'} with"),
    ],
)
def test_a_folder_of_lines_without_a_direction(
    lines: Path, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(lines, **settings)
    assert message in str(caught.value)


def test_files_of_pairs_in_a_folder_or_alone(tmp_path: Path) -> None:
    other = {"translation": {"cs": "Čaj.", "en": "Tea."}}
    (tmp_path / "train.de-en.json").write_text(2 * (json.dumps(PAIR) + "\n"))
    (tmp_path / "valid.de-en.json").write_text(json.dumps([PAIR]))
    (tmp_path / "train.cs-en.json").write_text(2 * (json.dumps(other) + "\n"))
    for split, count in (("train", 2), ("dev", 1)):
        questions = read(tmp_path, config_name="en-de", split=split)
        assert [one.target for one in questions] == ["Der Tee ist nass."] * count
    question, _ = read(tmp_path / "train.cs-en.json", config_name="cs-en")
    assert (question.text, tags(question)) == ("Čaj.", {"direction": "cs-en"})
    with pytest.raises(
        ConfigError,
        match=r"train.cs-en.json: its rows can be read as cs-en or en-cs\. Pass --config",
    ):
        read(tmp_path / "train.cs-en.json")
    with pytest.raises(
        ConfigError, match=r"files are cs-en, de-en, not 'cs-de'\. Pass"
    ):
        read(tmp_path, config_name="cs-de")


def test_a_direction_is_for_files_of_translations(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(NLI_LINES) + "\n")
    with pytest.raises(
        ConfigError, match="'de-en'} with a source that is not a Hub id"
    ):
        read(path, config_name="de-en")


def test_the_train_split_in_two_files(tmp_path: Path) -> None:
    columns = ["pairID", "gold_label", "Sentence1", "Sentence2", "Explanation_1"]
    for number, name in enumerate(("train_1", "train_2", "dev")):
        cells = [f"{number}#r1n", "neutral", "Ann drinks.", "Ann eats.", "So."]
        (tmp_path / f"esnli_{name}.csv").write_text(
            ",".join(columns) + "\n" + ",".join(cells) + "\n"
        )
    assert [question.id for question in read(tmp_path)] == ["0#r1n", "1#r1n"]
    assert [question.id for question in read(tmp_path, split="dev")] == ["2#r1n"]
    checksums = {opened(tmp_path).checksum(split) for split in ("train", "dev")}
    assert len(checksums) == 2


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["train.jsonl", "problems.json"], '{"question": "Is it?", "answer": "yes"}\n'),
        (["train.de-en.json"], '{"question": "Is it?", "answer": "yes"}\n'),
    ],
)
def test_a_folder_of_other_rows_is_read_by_the_names_of_its_files(
    names: list[str], text: str, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).write_text(2 * text)
    assert [question.text for question in read(tmp_path)] == ["Is it?", "Is it?"]


def test_a_folder_with_a_workbook_a_split_has_no_configs(tmp_path: Path) -> None:
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.xlsx").write_bytes(b"")
    assert sentiment_reasoning.open_folder(tmp_path, None) is None
    (tmp_path / "test_asr.xlsx").write_bytes(b"")
    found = sentiment_reasoning.open_folder(tmp_path, "asr")
    assert found is not None
    assert found.splits == ("test",)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, known in KNOWN_DATASETS.items()
        if known.hub_id is None and known.published_at
    ],
)
def test_a_name_without_a_hub_copy_says_where_the_files_are(name: str) -> None:
    with pytest.raises(
        ConfigError, match=f"{name}: only its published files are read. Get them from"
    ):
        open_source(SourceConfig(name=name))


# -- the published files ---------------------------------------------------------------


@pytest.mark.needs_data
@pytest.mark.parametrize(
    ("name", "settings", "count", "known"),
    [
        ("esnli/dev.first3000.jsonl", {}, 3000, esnli.KNOWN),
        (
            "scienceqa",
            {"split": "test", "columns": {"image": ""}},
            239,
            scienceqa.KNOWN,
        ),
        ("mt_ntrex", {"config_name": "eng-isl"}, 1997, ntrex.KNOWN),
        ("mt_ntrex", {"config_name": "vie-eng"}, 1997, ntrex.KNOWN),
        ("mt_alma", {"config_name": "zh-en", "split": "dev"}, 1002, alma.KNOWN),
        ("mt_alma/train.is-en.json", {"config_name": "en-is"}, 2009, alma.KNOWN),
    ],
)
def test_every_published_row_is_a_question(
    name: str, settings: dict[str, Any], count: int, known: KnownDataset
) -> None:
    source = opened(TASKS / name, **settings)
    questions = list(source.read(source.split))
    assert (len(questions), source.drops) == (count, {})
    assert source.identify_dataset(source.split) is known


@pytest.mark.needs_data
def test_every_published_picture_is_an_input() -> None:
    pytest.importorskip("PIL")
    questions = read(TASKS / "scienceqa", split="test")
    shown = [question for question in questions if question.images]
    tagged = [question for question in questions if tags(question)["picture"] == "yes"]
    assert (len(shown), shown) == (45, tagged)
    assert all("caption" in inputs(question) for question in shown)


@pytest.mark.needs_data
@pytest.mark.parametrize(
    ("settings", "targets", "num_rationales"),
    [
        ({"config_name": "eng"}, {"A": 1694, "B": 2844, "C": 1157}, 5695),
        (
            {"config_name": "eng", "split": "test"},
            {"A": 701, "B": 958, "C": 524},
            2183,
        ),
        (
            {"config_name": "asr", "split": "test"},
            {"A": 701, "B": 958, "C": 524},
            0,
        ),
        ({"split": "test"}, {"A": 701, "B": 958, "C": 524}, 2183),
    ],
)
def test_every_published_transcript_is_a_question(
    settings: dict[str, Any], targets: dict[str, int], num_rationales: int
) -> None:
    pytest.importorskip("openpyxl")
    source = opened(TASKS / "sentiment_reasoning", **settings)
    questions = list(source.read(source.split))
    found = [question.target for question in questions]
    assert {label: found.count(label) for label in "ABC"} == targets
    texts = [texts for texts in source.read_rationales(source.split) if texts]
    assert len(texts) == num_rationales
