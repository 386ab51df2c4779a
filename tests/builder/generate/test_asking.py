"""Ways of asking through the command line: what is asked, once; what the build then
says; nothing asked again.
"""

import json
from pathlib import Path

import pytest

from tests.support.commands import invoke, published, rows, write_questions
from tests.support.http_teacher import Server, serve

TEXTS = [f"Which of these holds number {number}?" for number in range(24)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_questions(tmp_path / "q.jsonl", TEXTS)


def ask(server: Server, source: Path, out: Path, *more: object) -> list[str]:
    words = [
        "generate",
        "--source",
        source,
        "--teacher",
        "fake",
        "--endpoint",
        server.url,
        "--out",
        out,
        *more,
    ]
    return invoke(*words).stdout.splitlines()


def test_only_what_went_wrong_is_asked_again_and_never_a_third_time(
    source: Path, tmp_path: Path
) -> None:
    with serve() as server:
        ask(server, source, tmp_path / "b")
        wrong = [
            row["question_id"]
            for row in rows(tmp_path / "b")
            if row["verdict"] != "correct"
        ]
        assert 0 < len(wrong) < len(TEXTS)
        asked = server.stats()["requests"]
        assert asked == len(TEXTS)
        ask(server, source, tmp_path / "b", "--mode", "elicit-then-rationalize")
        assert server.stats()["requests"] == asked + len(wrong)
        shown = [
            row["question_id"]
            for row in rows(tmp_path / "b")
            if row["purpose"] == "rationalize"
        ]
        assert shown == wrong
        before = published(tmp_path / "b")
        [first, *_] = ask(
            server, source, tmp_path / "b", "--mode", "elicit-then-rationalize"
        )
        assert first == "no open requests, no server started: the build is up to date"
        fresh = tmp_path / "c" / "b"  # both steps in one run
        ask(server, source, fresh, "--mode", "elicit-then-rationalize")
        assert published(fresh) == before
    invoke("verify", tmp_path / "b")
    shown_lines = invoke("inspect", tmp_path / "b", "--limit", 99).stdout
    assert shown_lines.count(
        "prompt     target shown, after an attempt without it failed"
    ) == len(wrong)


@pytest.mark.parametrize(
    ("decode", "per_question"), [("free", 1), ("json", 1), ("choice", 2)]
)
def test_every_decoding_answers_every_question(
    source: Path, tmp_path: Path, decode: str, per_question: int
) -> None:
    with serve() as server:
        ask(server, source, tmp_path / "b", "--decode", decode)
        assert server.stats()["requests"] == per_question * len(TEXTS)
        assert server.stats()["repeated"] == 0
    found = rows(tmp_path / "b")
    assert all(row["answer"] in ("A", "B", "C") and row["rationale"] for row in found)
    if decode == "json":
        assert set(json.loads(str(found[0]["completion"]))) == {"rationale", "answer"}
    invoke("verify", tmp_path / "b")


def test_two_targets_of_one_question_share_the_first_request_and_part_at_the_second(
    tmp_path: Path,
) -> None:
    """Real sets have such pairs.

    At temperature 0 both begin with one request; only the hints differ.
    """
    rows_in = [
        {
            "question": "Which?",
            "choices": ["this", "that", "both"],
            "answer": a,
            "id": a,
        }
        for a in "ABC"
    ]
    source = tmp_path / "q.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows_in))
    with serve() as server:
        ask(
            server,
            source,
            tmp_path / "b",
            "--temperature",
            0,
            "--mode",
            "elicit-then-rationalize",
        )
        assert (
            server.stats()["requests"] == 3
        )  # one elicited answer is right for one of the three targets
        assert server.stats()["repeated"] == 0
    assert sorted(str(row["purpose"]) for row in rows(tmp_path / "b")) == [
        "elicit",
        "rationalize",
        "rationalize",
    ]


def test_cut_texts_are_asked_for_once_more_and_no_more(
    source: Path, tmp_path: Path
) -> None:
    with serve(length=1.0) as server:
        ask(server, source, tmp_path / "b", "--on-length", "longer")
        assert server.stats()["requests"] == 2 * len(TEXTS)
    for row in rows(tmp_path / "b"):
        earlier = row["other_steps"]
        assert isinstance(earlier, list)
        assert [step["finish_reason"] for step in [*earlier, row]] == [
            "length",
            "length",
        ]


def test_a_reasoning_models_thoughts_are_kept_apart(
    source: Path, tmp_path: Path
) -> None:
    with serve(reasoning="reasoning_content") as server:
        ask(server, source, tmp_path / "b")
    assert all(
        row["reasoning"] and row["rationale"] == row["reasoning"]
        for row in rows(tmp_path / "b")
    )


def test_exemplars_come_from_a_split_that_has_rationales(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for split, first in (("train", 0), ("dev", 100)):
        made = [
            {
                "question": f"How many is {n} + 1?",
                "answer": n + 1,
                "rationale": f"One more than {n} is {n + 1}.",
            }
            for n in range(first, first + 8)
        ]
        (folder / f"{split}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in made)
        )
    words = [
        "generate",
        "--source",
        folder,
        "--split",
        "dev",
        "--teacher",
        "scripted",
        "--out",
        tmp_path / "b",
    ]
    shown = invoke(*words, "--exemplars", "train:4", "--dry-run").stdout
    assert shown.count("One more than") == 4
    assert "How many is 100 + 1?" in shown
    invoke(*words, "--exemplars", "train:4")
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert manifest["exemplars"] == {"split": "train", "count": 4, "seed": 0}
    assert set(manifest["source"]["checksums"]) == {"validation", "train"}
    assert (
        "4 per prompt, drawn from split train with seed 0"
        in (tmp_path / "b" / "README.md").read_text()
    )


def test_questions_that_also_stand_in_an_evaluation_split_are_told_or_left_out(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    write_questions(folder / "train.jsonl", TEXTS)
    write_questions(folder / "test.jsonl", [TEXTS[3].upper(), "Something else?"])
    words = [
        "generate",
        "--source",
        folder,
        "--eval-splits",
        "test",
        "--teacher",
        "scripted",
        "--out",
        tmp_path / "b",
    ]
    assert (
        "questions whose text also occurs in test, whatever their options: 1 "
        "(--drop-overlap leaves them out)" in invoke(*words).stdout.splitlines()
    )
    told = invoke(*words, "--drop-overlap").stdout.splitlines()
    assert "source rows left out: 1 overlap_test" in told
    assert len(rows(tmp_path / "b")) == len(TEXTS) - 1
    invoke("verify", tmp_path / "b")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--mode", "guess"], 2, "mode is 'guess'"),
        (["--decode", "xml"], 2, "decode is 'xml'"),
        (["--on-length", "twice"], 2, "on_length is 'twice'"),
        (
            ["--set", "longer_tokens=9"],
            2,
            "settings: longer_tokens is set while on_length is keep",
        ),
        (
            ["--set", "choice_tokens=900"],
            2,
            "settings: choice_tokens is set while decode is free",
        ),
        (
            ["--mode", "rationalize", "--template", "choice_few_shot@1"],
            2,
            "choice_few_shot@1 hides the target",
        ),
        (
            ["--exemplars", "train:x"],
            2,
            "--exemplars 'train:x' is not SPLIT or SPLIT:COUNT",
        ),
        (["--exemplars", "train"], 2, "Name it with --map rationale=COL"),
        (["--rows", "5"], 2, "source.rows is '5'"),
    ],
)
def test_a_wrong_setting_is_one_line(
    source: Path, tmp_path: Path, words: list[str], code: int, message: str
) -> None:
    done = invoke(
        "generate",
        "--source",
        source,
        "--teacher",
        "scripted",
        "--out",
        tmp_path / "b",
        *words,
        code=code,
    )
    [line] = done.stderr.splitlines()
    assert message in line
    assert not (tmp_path / "b" / "manifest.json").exists()
