"""400 real rationales that people labelled by reading, and the sets they come from,
imported as a user would.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.imports import load_recipe, open_import, open_import_source
from cotbuild.builder.imports.run import RationaleImport
from cotbuild.schemas.answers.grade import grade_completion
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.import_recipe import ImportConfig
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale
from tests.support.commands import DATA, HERE

LABELS = ("extract_labelled_1.jsonl", "extract_labelled_2.jsonl")
RATIONALES = DATA / "rationales"
COSE = RATIONALES / "human_cose"


class SetOf(NamedTuple):
    """One published set: recipe, files, questions, and the file that orders them."""

    recipe: str
    files: list[Path]
    source: Path | None = None
    order_from: Path | None = None


SETS = (
    SetOf(
        "palm_commonsense_qa",
        [RATIONALES / "palm_commonsense_qa" / f"train_CoT_{i}.json" for i in range(10)],
        DATA / "commonsense_qa" / "train_rand_split.jsonl",
        COSE / "cose_train_v1.11.jsonl",
    ),
    SetOf(
        "palm_commonsense_qa",
        [RATIONALES / "palm_commonsense_qa" / f"test_CoT_{i}.json" for i in range(2)],
        DATA / "commonsense_qa" / "dev_rand_split.jsonl",
        COSE / "cose_dev_v1.11.jsonl",
    ),
    SetOf(
        "chatgpt_openbookqa",
        [
            RATIONALES
            / "chatgpt_openbookqa"
            / "openbookQA_ChatGPT_0_shot_without_gt_ranked.json"
        ],
        DATA / "openbookqa" / "train.jsonl",
    ),
    SetOf(
        "llama3_openbookqa",
        [RATIONALES / "llama3_openbookqa" / "obqa_llama_level1_ranked.json"],
        DATA / "openbookqa" / "train.jsonl",
    ),
    SetOf("gpt3_quarel", [RATIONALES / "gpt3_quarel" / "train_gpt3_responses.jsonl"]),
)


class Labelled(NamedTuple):
    """A text, its question, and the answer that a reader found stated in it."""

    set_name: str
    draw: str
    place: tuple[str, int]
    question: Question
    text: str
    answer: str | None


def opened(which: SetOf) -> RationaleImport:
    """Open a set with its questions."""
    recipe = load_recipe(which.recipe)
    config = ImportConfig(
        files=tuple(map(str, which.files)),
        recipe=recipe,
        order_from=str(which.order_from) if which.order_from else None,
    )
    source = open_import_source(
        config, SourceConfig(name=str(which.source) if which.source else "bundled")
    )
    return open_import(config, source)


def rows_of(which: SetOf) -> Iterator[tuple[Question, Rationale]]:
    """Every rationale of a set with its question."""
    found = opened(which)
    questions = {question.id: question for question in found.questions()}
    for row in found.rows():
        yield questions[row.question_id], row


def labelled() -> list[Labelled]:
    """The 400 texts. Raises KeyError where a label names a row that is not there."""
    found = {}
    for which in SETS:
        imported = opened(which)
        names = [file.file for file in imported.entry.files]
        for question, its_texts in imported.texts():
            for imported_text in its_texts:
                place = (names[imported_text.file], imported_text.row)
                found[place] = (which.recipe, question, imported_text.text)
    texts = []
    for name in LABELS:
        for line in (HERE / "golden" / name).read_text(encoding="utf-8").splitlines():
            label = json.loads(line)
            place = (Path(label["file"]).name, label["row"])
            recipe, question, text = found[place]
            texts.append(
                Labelled(recipe, label["draw"], place, question, text, label["answer"])
            )
    return texts


def ours(one: Labelled) -> str | None:
    """What cotbuild takes from the text alone."""
    return grade_completion(one.question, one.text, finish_reason=None).answer


def first_letter(one: Labelled) -> str | None:
    """The usual rule: the first letter of an option that stands alone, bracketed or
    not.
    """
    labels = {choice.label for choice in one.question.choices}
    letters = re.findall(r"\(?\b([A-Ea-e])\b\)?", one.text)
    return next(
        (letter.upper() for letter in letters if letter.upper() in labels), None
    )


def outcome(found: str | None, expected: str | None) -> str:
    """right, wrong or miss."""
    return "right" if found == expected else "miss" if found is None else "wrong"


def score(
    texts: list[Labelled], rule: Callable[[Labelled], str | None]
) -> dict[tuple[str, str], Counter[str]]:
    """Outcomes by set and draw."""
    scores: dict[tuple[str, str], Counter[str]] = {}
    for one in texts:
        counts = scores.setdefault((one.set_name, one.draw), Counter())
        counts[outcome(rule(one), one.answer)] += 1
        counts["stated" if one.answer is not None else "none"] += 1
    return scores
