"""Flags and mentions on real rationales: exact counts over whole sets (slow) and over
every eighth row of them, and the rows of the rare flags, each read.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cache

import pytest

from cotbuild.schemas.answers.grade import GradedCompletion, grade_completion
from cotbuild.schemas.answers.mentions import find_mentions
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import Flag, Verdict
from tests.schemas.answers.test_extract_real import (
    CHATGPT,
    LLAMA,
    choice_question,
    gsm8k,
    json_lines,
    openbookqa,
    palm,
    question,
)
from tests.support.commands import DATA

pytestmark = pytest.mark.needs_data

WHOLE, SAMPLE = 1, 8
"""Of how many rows one is graded."""
STEPS = [pytest.param(WHOLE, marks=pytest.mark.slow), SAMPLE]


def quarel() -> Iterable[tuple[str, Question, str | None]]:
    rows = json.loads(
        (DATA / "rationales" / "gpt3_quarel" / "train_gpt3_responses.jsonl").read_text(
            "utf-8"
        )
    )
    for row in rows.values():
        stem, first, second = re.fullmatch(
            r"(.*)\(A\) ?(.*?) ?\(B\) ?(.*)", row["question"], re.DOTALL
        ).groups()  # type: ignore[union-attr]
        choices = [{"label": "A", "text": first}, {"label": "B", "text": second}]
        target, said = (
            row[name].strip("()").upper() for name in ("gold_label", "predicted_label")
        )
        yield (
            row["predicted_rationale"],
            question(QuestionKind.CHOICE, stem, target, choices),
            said,
        )


def cose() -> Iterable[tuple[str, Question, str | None]]:
    rows = {
        row["id"]: row
        for row in json_lines(DATA / "commonsense_qa" / "train_rand_split.jsonl")
    }
    for row in json_lines(
        DATA / "rationales" / "human_cose" / "cose_train_v1.11.jsonl"
    ):
        q = choice_question(rows[row["id"]])
        yield row["explanation"]["open-ended"], q, q.target


@cache
def rows_of(name: str) -> list[tuple[str, Question, str | None]]:
    """The texts of a set in order, their questions, and the answer that stands beside
    the text or that the text was written for.
    """
    rows: Iterable[tuple[str, Question, str | None]]
    match name:
        case "palm":
            rows = ((text, q, None) for _, _, text, q in palm("train"))
        case "gsm8k":
            rows = ((text, q, None) for text, q in gsm8k("train"))
        case "quarel" | "cose":
            rows = quarel() if name == "quarel" else cose()
        case _:
            rows = (
                (text, qs[0], None)
                for text, qs in openbookqa(LLAMA if name == "llama" else CHATGPT)
            )
    return list(rows)


@cache
def judged_row(name: str, row: int) -> GradedCompletion:
    text, q, given = rows_of(name)[row]
    return grade_completion(q, text, given=given)


def judged(name: str, step: int) -> list[GradedCompletion]:
    """Every `step`th row of a set, graded."""
    return [judged_row(name, row) for row in range(0, len(rows_of(name)), step)]


COUNTS = {
    WHOLE: {
        "palm": {"run_on": 9741, "names_target": 5670},
        "llama": {"names_target": 1364, "refusal": 10, "run_on": 3},
        "chatgpt": {
            "names_target": 3719,
            "refusal": 67,
            "empty": 29,
            "markup": 9,
            "run_on": 3,
            "contradicts": 1,
        },
        "quarel": {"names_target": 7712},
        "cose": {"names_target": 4106, "contradicts": 1, "empty": 1},
        "gsm8k": {"names_target": 7453, "contradicts": 1},
    },
    SAMPLE: {
        "palm": {"names_target": 710, "run_on": 1218},
        "llama": {"names_target": 151, "refusal": 1, "run_on": 1},
        "chatgpt": {"names_target": 476, "refusal": 4, "empty": 2},
        "quarel": {"names_target": 949},
        "cose": {"names_target": 549},
        "gsm8k": {"names_target": 934},
    },
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", COUNTS[WHOLE])
def test_how_often_each_flag_stands(name: str, step: int) -> None:
    """No loop in 46,517 rationales of people and large teachers: repeats_itself has no
    false alarm on them.
    """
    assert (
        Counter(flag.value for found in judged(name, step) for flag in found.flags)
        == COUNTS[step][name]
    )


NAMING = {
    WHOLE: {"palm": 74.1, "llama": 27.5, "chatgpt": 75.4, "quarel": 91.1},
    SAMPLE: {"palm": 74.1, "llama": 24.4, "chatgpt": 77.2, "quarel": 90.5},
}
"""Percent of the right rationales that name the target."""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", NAMING[WHOLE])
def test_share_of_right_rationales_that_name_the_target(name: str, step: int) -> None:
    right = [
        Flag.NAMES_TARGET in found.flags
        for found in judged(name, step)
        if found.verdict is Verdict.CORRECT
    ]
    assert round(100 * sum(right) / len(right), 1) == NAMING[step][name]


ROWS = [
    (
        "llama",
        Flag.REFUSAL,
        [1876, 3064, 3162, 3441, 3705, 3951, 4001, 4503, 4703, 4881],
    ),
    ("chatgpt", Flag.MARKUP, [301, 426, 468, 781, 1433, 1877, 2627, 3879, 4222]),
    ("cose", Flag.CONTRADICTS, [5878]),
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("name", "flag", "rows"), ROWS)
def test_the_rows_of_a_rare_flag(
    name: str, flag: Flag, rows: list[int], step: int
) -> None:
    read = {*range(0, len(rows_of(name)), step), *rows}
    assert [row for row in sorted(read) if flag in judged_row(name, row).flags] == rows


MENTIONS = [
    ("palm", 2934, {"A": 2}),  # its letter and its text
    ("llama", 302, {"A": 1, "C": 1, "D": 1}),  # letters joined by a comma and by or
    ("llama", 4685, {"A": 2}),  # an option that is a number
    ("llama", 523, {}),  # 70 °C)
    ("chatgpt", 810, {"A": 2, "B": 1, "C": 2, "D": 1}),
    ("cose", 3872, {"D": 1}),  # its words, not the "letter c" of the alphabet
    ("cose", 3367, {"A": 1, "E": 1}),
]


@pytest.mark.parametrize(("name", "row", "expected"), MENTIONS)
def test_mentions_of_a_real_row(name: str, row: int, expected: dict[str, int]) -> None:
    _, q, _ = rows_of(name)[row]
    counts: dict[str, int] = defaultdict(int)
    for mention in find_mentions(judged_row(name, row).rationale, q):
        counts[mention.label] += 1
    assert counts == expected
