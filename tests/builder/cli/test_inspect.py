"""What `cotbuild inspect` shows of the rules that read the answers."""

import json

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.cli.inspect import Filter, inspect_build, rationale_lines
from cotbuild.schemas.errors import ConfigError
from tests.support.commands import HERE, invoke

LONG = "It is hard. " * 30
TEXTS = [
    ("The answer is (B).", "answer_is"),
    (f"{LONG}So the answer is (A), which is soft.\nDone.", "answer_is"),
    ('{"reasoning": "It is hard.", "answer": "B"}', "json_field"),
    ("I do not know.", None),
]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> StoredBuild:
    folder = tmp_path_factory.mktemp("inspect")
    rows = [
        {"id": f"q{n}", "question": f"Which one is hard, {n}?", "choices": ["moss", "granite"],
         "answer": "B", "said": text}
        for n, (text, _) in enumerate(TEXTS)
    ]  # fmt: skip
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = ["--map", "text=said", "--map", "id=id"]
    invoke("import", file, *columns, "--source", file, "--out", folder / "build")
    return StoredBuild.open(folder / "build")


def lines(build: StoredBuild, limit: int | None = None, **wanted: str) -> list[str]:
    return list(inspect_build(build, Filter(**wanted), limit=limit))


def shown_ids(shown: list[str]) -> list[str]:
    return [line.split()[1] for line in shown if line.startswith("── ")]


def test_the_summary_counts_verdicts_by_rule(build: StoredBuild) -> None:
    shown = lines(build)
    start = shown.index("rule           correct   incorrect")
    assert shown[start + 1 : start + 3] == [
        "answer_is            1           1",
        "json_field           1           0",
    ]


def test_a_rule_shows_all_that_it_took_with_the_answer_marked(
    build: StoredBuild,
) -> None:
    shown = lines(build, rule="answer_is")
    assert shown_ids(shown) == ["q0", "q1"]
    assert "read by    answer_is: The answer is (»B«)." in shown
    text = " ".join(line.strip() for line in shown)
    assert "read by    answer_is: …" in text
    assert "So the answer is (»A«), which is soft." in text
    assert "Done" not in text
    first_row = next(n for n, line in enumerate(shown) if line.startswith("── "))
    assert all(len(line) <= 80 for line in shown[first_row:])  # paths stand before it


def test_a_rule_is_one_filter_among_others(build: StoredBuild) -> None:
    assert shown_ids(lines(build, rule="answer_is", verdict="incorrect")) == ["q1"]
    assert shown_ids(lines(build, rule="answer_is", limit=1)) == ["q0"]
    assert shown_ids(lines(build, rule="json_field", question_id="q2")) == ["q2"]
    none = lines(build, rule="json_field", verdict="incorrect")
    assert none[-1] == "no rationale with verdict incorrect and rule json_field"


def test_an_unknown_rule_lists_those_that_occur(build: StoredBuild) -> None:
    with pytest.raises(ConfigError, match="Rules here: 2 answer_is, 1 json_field"):
        lines(build, rule="boxed")


def test_a_build_that_did_not_record_rules_says_so() -> None:
    old = StoredBuild.open(HERE / "golden" / "builds" / "row_version_1")
    assert not [line for line in lines(old, limit=12) if line.startswith("read by")]
    with pytest.raises(ConfigError, match="built before rules were recorded"):
        lines(old, rule="boxed")


def test_inputs_are_shown_below_the_question() -> None:
    row = {
        "question_id": "q",
        "sample_index": 0,
        "question": "Which is it?",
        "choices": [],
        "inputs": [
            {"name": "hint", "text": "Look twice.", "image": None},
            {
                "name": "image",
                "text": None,
                "image": {
                    "sha256": "ab" * 32,
                    "media_type": "image/png",
                    "width": 3,
                    "height": 4,
                },
            },
        ],
        "failure": "timeout",
        "failure_message": None,
    }
    assert list(rationale_lines(row))[1:] == [
        "question   Which is it?",
        "input      hint: Look twice.",
        "input      image: 3×4 png abababababab…",
        "failed     timeout",
    ]
