"""The five published sets, every row. Nothing is copied here."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from cotbuild.builder.imports import RationaleImport, load_recipe
from cotbuild.builder.sources.datasets.quarel import to_question
from cotbuild.schemas.answers.compare import casefold_text
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import SourceRef
from cotbuild.schemas.rationale import Purpose, Rationale, Verdict
from tests.builder.imports.conftest import Bring, bring_in
from tests.support.commands import DATA

pytestmark = pytest.mark.needs_data

SETS = DATA / "rationales"
PALM = SETS / "palm_commonsense_qa"
COSE_TRAIN, COSE_DEV = (
    SETS / "human_cose" / f"cose_{split}_v1.11.jsonl" for split in ("train", "dev")
)
PALM_TRAIN = [PALM / f"train_CoT_{i}.json" for i in range(10)]
PALM_DEV = [PALM / f"test_CoT_{i}.json" for i in range(2)]
LLAMA3 = [SETS / "llama3_openbookqa" / "obqa_llama_level1_ranked.json"]
CHATGPT = [
    SETS / "chatgpt_openbookqa" / "openbookQA_ChatGPT_0_shot_without_gt_ranked.json"
]
GPT3 = [SETS / "gpt3_quarel" / "train_gpt3_responses.jsonl"]
CSQA, OBQA = DATA / "commonsense_qa", DATA / "openbookqa"


@dataclass(frozen=True)
class Case:
    """A set, and what must come of it."""

    recipe: str
    files: list[Path]
    source: Path | None
    split: str | None
    order_from: Path | None
    num_rows: int
    without: int
    disagree: tuple[float, float]
    """Share of the rows with an answer whose answer is not the target's: between these.
    """
    no_answer: tuple[int, int]
    closer: float
    """Least share of telling texts closer to their own question than to another."""


CASES = {
    "palm train": Case(
        "palm_commonsense_qa",
        PALM_TRAIN,
        CSQA,
        "train",
        COSE_TRAIN,
        9741,
        0,
        (0.220, 0.228),
        (182, 300),
        0.97,
    ),
    "palm dev": Case(
        "palm_commonsense_qa",
        PALM_DEV,
        CSQA,
        "dev",
        COSE_DEV,
        1221,
        0,
        (0.19, 0.21),
        (15, 35),
        0.97,
    ),
    "llama3": Case(
        "llama3_openbookqa",
        LLAMA3,
        OBQA,
        "train",
        None,
        4957,
        0,
        (0.0, 0.002),
        (0, 10),
        0.91,
    ),
    "chatgpt": Case(
        "chatgpt_openbookqa",
        CHATGPT,
        OBQA,
        "train",
        None,
        4955,
        2,
        (0.050, 0.055),
        (30, 60),
        0.99,
    ),
    "gpt3": Case(
        "gpt3_quarel", GPT3, None, None, None, 9650, 0, (0.1499, 0.1501), (0, 0), 0.99
    ),
    "cose train": Case(
        "cose", [COSE_TRAIN], CSQA, "train", None, 9741, 0, (0.0, 0.0), (0, 0), 0.93
    ),
    "cose dev": Case(
        "cose", [COSE_DEV], CSQA, "dev", None, 1221, 0, (0.0, 0.0), (0, 0), 0.91
    ),
}


@cache
def brought(name: str) -> tuple[RationaleImport, list[Rationale]]:
    """A set and its rows, read once for all tests."""
    case = CASES[name]
    found = bring_in(
        case.files,
        case.source,
        load_recipe(case.recipe),
        case.order_from,
        split=case.split,
    )
    return found, list(found.rows())


SLOW = ("cose train", "gpt3")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in CASES]
)
def test_every_row_comes_in(name: str) -> None:
    case, (found, rows) = CASES[name], brought(name)
    entry, verdicts = found.entry, Counter(row.verdict for row in rows)
    assert (
        len(rows)
        == entry.num_rationales
        == entry.num_texts
        == sum(f.num_rows for f in entry.files)
        == case.num_rows
    )
    assert (entry.dropped, found.unmatched, entry.num_questions_without) == (
        {},
        [],
        case.without,
    )
    assert len({row.request_key for row in rows}) == case.num_rows
    assert verdicts.keys() <= {Verdict.CORRECT, Verdict.INCORRECT, Verdict.NO_ANSWER}
    answered = verdicts[Verdict.CORRECT] + verdicts[Verdict.INCORRECT]
    assert (
        case.disagree[0] <= verdicts[Verdict.INCORRECT] / answered <= case.disagree[1]
    )
    assert case.no_answer[0] <= verdicts[Verdict.NO_ANSWER] <= case.no_answer[1]
    assert entry.num_closer >= case.closer * entry.num_telling
    _check_places(found, rows)


def _check_places(found: RationaleImport, rows: list[Rationale]) -> None:
    """Rows stand in plan order, and each origin names the text that the row holds."""
    assert [(row.row, row.sample_index) for row in rows] == sorted(
        (row.row, row.sample_index) for row in rows
    )
    texts = {
        Path(file).name: json.loads(text)
        if (text := Path(file).read_text())[0] == "["
        else text
        for file in found.config.files
    }
    for row in rows[::97]:
        assert row.origin is not None
        content = texts[row.origin.file]
        if isinstance(content, list):
            item = content[row.origin.row]
            assert row.completion == (item if isinstance(item, str) else item["output"])


def test_palms_options_are_those_of_the_joined_question() -> None:
    """Told by other means than the import's own check: the first "(c) words" of a text
    are its option c.
    """
    named = Counter(_names_own_option(row) for row in brought("palm train")[1])
    assert named.total() == named[True] + named[False] == 9741
    assert named[False] == 36  # options that the text spells or shortens otherwise


def _names_own_option(row: Rationale) -> bool | None:
    mention = re.search(r"\(([a-e])\)\s*", row.completion or "")
    if mention is None or row.completion is None:
        return None
    option = next(
        casefold_text(choice.text)
        for choice in row.choices
        if choice.label == mention[1].upper()
    )
    return casefold_text(
        row.completion[mention.end() : mention.end() + 100]
    ).startswith(option)


def test_palm_in_a_wrong_order_is_refused(bring: Bring, tmp_path: Path) -> None:
    recipe = load_recipe("palm_commonsense_qa")
    swapped = [PALM_TRAIN[1], PALM_TRAIN[0], *PALM_TRAIN[2:]]
    with pytest.raises(
        DataError,
        match=r"train_CoT_1.json row \d+ to train_CoT_1.json row \d+ .*about other questions",
    ):
        bring(swapped, CSQA, recipe, COSE_TRAIN, split="train")
    by_source = recipe.model_copy(update={"order_about": None})
    with pytest.raises(
        DataError, match=r"test_CoT_0.json row 0 to test_CoT_0.json row 99 "
    ):
        bring(PALM_DEV, CSQA, by_source, split="dev")
    lines = COSE_DEV.read_text().splitlines(keepends=True)
    late = tmp_path / "late.jsonl"
    late.write_text("".join([*lines[:600], *lines[601:], lines[600]]))
    with pytest.raises(DataError, match=r"test_CoT_0.json row [67]00 "):
        bring(PALM_DEV, CSQA, recipe, late, split="dev")
    with pytest.raises(
        DataError, match=r"9000 rows in 9 files to be joined by order. Expected 9741"
    ):
        bring(PALM_TRAIN[:9], CSQA, recipe, COSE_TRAIN, split="train")


@pytest.mark.parametrize("name", ["llama3", "chatgpt"])
def test_openbookqas_repeated_stems_find_the_right_question(name: str) -> None:
    """105 stems stand more than once, 5 with the same choices too; the file shows the
    choices to tell by.
    """
    instructions = [
        row["instruction"] for row in json.loads(CASES[name].files[0].read_text())
    ]
    rows = brought(name)[1]
    stems = Counter(row.question for row in rows)
    assert sum(count > 1 for count in stems.values()) >= 100
    for row in rows:
        assert row.origin is not None
        shown = casefold_text(instructions[row.origin.row])
        assert all(
            casefold_text(f"{choice.label}: {choice.text}") in shown
            for choice in row.choices
        )
        assert row.sample_index == 0
    by_text = Counter((row.question, row.choices) for row in rows)
    assert sum(count == 2 for count in by_text.values()) == 5


def test_quarels_questions_are_those_of_the_source() -> None:
    found, rows = brought("gpt3")
    published = json.loads(GPT3[0].read_text())
    questions = list(found.questions())
    assert len(questions) == 1930
    for number, question in enumerate(questions):
        row = published[str(5 * number)]
        ref = SourceRef(
            dataset="q", config_name=None, split="train", revision=None, row=number
        )
        same = to_question(
            {"question": row["question"], "answer": row["gold_label"].upper()}, ref
        )
        assert question.model_copy(update={"source": ref}) == same
    assert Counter(Counter(row.question_id for row in rows).values()) == {5: 1930}
    right = {row.question_id for row in rows if row.verdict is Verdict.CORRECT}
    assert 1930 - len(right) == 173  # as the data's README.md counts them
    assert [row.sample_index for row in rows[:6]] == [0, 1, 2, 3, 4, 0]


def test_cose_keeps_its_junk() -> None:
    rows = brought("cose train")[1]
    texts = Counter(row.completion for row in rows)
    assert texts.most_common(1)[0][1] == 386
    assert {row.purpose for row in rows} == {Purpose.RATIONALIZE}
    assert all(row.answer == row.target for row in rows)
