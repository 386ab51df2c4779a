"""The table of rules: every rule reads its own example, and the page lists them all."""

import pytest

from cotbuild.schemas.answers.extract import extract_answer
from cotbuild.schemas.answers.rule import ALL, Rule
from cotbuild.schemas.answers.rules import RULES
from cotbuild.schemas.question import QuestionKind
from tests.support.commands import HERE
from tests.support.weathering import question

PAGE = HERE.parent / "docs" / "answers.md"
OPTIONAL = "closing_sentence"


def kinds(rule: Rule) -> str:
    if rule.kinds == ALL:
        return "all"
    return ", ".join(kind.value for kind in QuestionKind if kind in rule.kinds)


def line(rule: Rule) -> str:
    bound = rule.bound.value + ("; closes" if rule.closes else "")
    bound += "; last" if rule.last else ""
    example = rule.example.replace("\n", "⏎").replace("|", r"\|")
    strength = rule.strength.value
    return f"| `{rule.id}` | {strength} | {bound} | {kinds(rule)} | {rule.reads} | `{example}` |"


def test_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_reads_its_example(rule: Rule) -> None:
    found = [
        extract_answer(
            rule.example,
            question(kind.value),
            closing_sentence=rule.id == OPTIONAL,
        ).answer_rule
        for kind in rule.kinds
    ]
    assert rule.id in found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_page_lists_the_rule(rule: Rule) -> None:
    assert line(rule) in PAGE.read_text("utf-8")


def test_the_page_lists_no_other_rule() -> None:
    listed = [row for row in PAGE.read_text("utf-8").splitlines() if row[:3] == "| `"]
    assert len(listed) == len(RULES)
