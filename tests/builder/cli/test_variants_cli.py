"""`cotbuild variants`, `diff` and `verify`: what is made of a build, what is said, how
a wrong use is answered.
"""

import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.commands import invoke, published, rows, write_questions

TEXTS = [f"Which of these {number} things floats?" for number in range(30)]
SET = "label_only,pre_cot,post_cot,post_cot_shuffled_words,post_cot_swapped,two_tasks,rationale_only,label_only_all"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of 30 questions with two rationales each, and an evaluation split."""
    folder = tmp_path_factory.mktemp("variants")
    write_questions(folder / "train.jsonl", TEXTS)
    write_questions(folder / "dev.jsonl", ["Which is dry?", "Which is wet?"])
    words = [
        "--source",
        folder,
        "--eval-splits",
        "dev",
        "--teacher",
        "scripted",
        "--samples",
        2,
    ]
    invoke("generate", *words, "--out", folder / "b")
    return folder / "b"


@pytest.fixture
def build(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "b"))


def variants(build: Path, *more: object, only: str = SET) -> list[str]:
    return invoke("variants", build, "--only", only, *more).stdout.splitlines()


def test_a_set_holds_the_same_rationales_in_every_variant(build: Path) -> None:
    said = variants(build)
    manifest = json.loads((build / "manifest.json").read_text())
    kept = manifest["verdicts"]["correct"]
    dropped = " + ".join(
        f"{n} {reason}" for reason, n in manifest["variants"]["dropped"].items()
    )
    assert said[0] == f"60 rationales = {kept} selected + {dropped}"
    assert said[-1] == f"next: cotbuild diff {build} post_cot post_cot_shuffled_words"
    keys = {
        name: [
            (row["question_id"], row["sample_index"])
            for row in rows(build, name)
            if row["task"] != "explain"
        ]
        for name in SET.split(",")
    }
    train = {name: found[:kept] for name, found in keys.items()}
    assert all(found == train["post_cot"] for found in train.values())
    assert train["post_cot"] == [
        (row["question_id"], row["sample_index"])
        for row in rows(build)
        if row["verdict"] == "correct"
    ]
    invoke("verify", build, "--all")


def test_evaluation_splits_carry_prompt_choices_and_target_and_no_rationale(
    build: Path,
) -> None:
    variants(build)
    assert not (build / "rationale_only" / "validation-00000-of-00001.parquet").exists()
    for name in ("post_cot", "pre_cot", "two_tasks"):
        found = pq.read_table(
            build / name / "validation-00000-of-00001.parquet"
        ).to_pylist()
        assert [row["completion"] for row in found] == [" that", " that"]
        assert all(
            row["rationale_start"] is None
            and row["choices"] == ["this", "that", "neither"]
            for row in found
        )


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_rows(
    build: Path,
) -> None:
    variants(build)
    before = published(build)
    variants(build)
    assert published(build) == before
    variants(build, "--seed", 1)
    after = published(build)
    changed = {
        name.partition("/")[0]
        for name in before
        if before[name] != after.get(name) and "/" in name
    }
    assert changed == {"post_cot_shuffled_words"}


def test_other_variants_take_the_place_of_those_that_stood_there(build: Path) -> None:
    base = set(published(build))
    variants(build)
    variants(build, only="label_only")
    assert set(published(build)) - base == {
        "label_only/train-00000-of-00001.parquet", "label_only/validation-00000-of-00001.parquet",
    }  # fmt: skip
    invoke("verify", build)


def test_a_generate_that_changes_rationales_says_that_it_deletes_variants_and_an_idle_one_leaves_them(
    build: Path, made: Path
) -> None:
    variants(build)
    words = [
        "--source",
        made.parent,
        "--eval-splits",
        "dev",
        "--teacher",
        "scripted",
        "--out",
        build,
    ]
    idle = invoke("generate", *words, "--samples", 2)
    assert "up to date" in idle.stdout
    assert (build / "post_cot").exists()
    less = invoke("generate", *words, "--samples", 1)
    assert (
        "8 variants will be kept if the rationales and questions come out unchanged"
        in less.stderr
    )
    assert (
        "this deletes 8 variants: the rationales they were derived from changed"
        in less.stderr
    )
    assert not (build / "post_cot").exists()
    invoke("verify", build)


def test_filters_choose_rationales_and_every_one_left_out_is_counted(
    build: Path,
) -> None:
    said = variants(
        build,
        "--filter",
        "verdicts=correct,incorrect",
        "--filter",
        "per_question=1",
        only="post_cot",
    )
    manifest = json.loads((build / "manifest.json").read_text())["variants"]
    kept = manifest["variants"][0]["num_rows"]
    assert kept + sum(manifest["dropped"].values()) == manifest["num_in"] == 60
    assert said[0].startswith(f"60 rationales = {kept} selected")
    found = [row["question_id"] for row in rows(build, "post_cot")][:kept]
    assert len(set(found)) == len(found)


def test_a_damaged_row_is_found_by_deriving_it_again(build: Path) -> None:
    variants(build)
    for name in ("post_cot", "post_cot_shuffled_words"):
        path = build / name / "train-00000-of-00001.parquet"
        other = build / "pre_cot" / "train-00000-of-00001.parquet"
        before = path.read_bytes()
        path.write_bytes(other.read_bytes())
        assert (
            f"{name}/train-00000-of-00001.parquet: "
            in invoke("verify", build, code=1).stderr
        )
        path.write_bytes(before)
    manifest = json.loads((build / "manifest.json").read_text())
    manifest["variants"]["made"]["seed"] = 7  # all checksums fit, the rows do not
    (build / "manifest.json").write_text(json.dumps(manifest))
    assert (
        "is derived from the rationale"
        in invoke("verify", build, "--all", code=1).stderr
    )


def test_diff_shows_both_sides_with_what_differs_marked(build: Path) -> None:
    variants(build)
    said = invoke(
        "diff", build, "post_cot", "post_cot_shuffled_words", "--limit", 1
    ).stdout
    assert "Question: " in said
    assert "│ post_cot_shuffled_words" in said
    assert "[" in said
    assert max(map(len, said.splitlines())) <= 100
    same = invoke("diff", build, "label_only", "label_only_all", "--limit", 1).stdout
    assert "[" not in same


def test_the_list_explains_every_variant_with_an_example() -> None:
    said = invoke("variants", "--list").stdout
    assert "post_cot_reversed: The label, then the words from last to first." in said
    assert "sinks. stone A floats." in said
    assert "set paper: label_only, pre_cot, post_cot" in said
    assert (
        max(len(line) for line in said.splitlines() if not line.startswith("set "))
        <= 110
    )


def test_a_variant_of_ones_own(build: Path, tmp_path: Path) -> None:
    spec = tmp_path / "mine.yaml"
    spec.write_text(
        "variants:\n"
        "  - {name: mine, about: Mine., placement: post_cot, transforms: [{do: reverse}, {do: cut, count: 2}]}\n"
    )
    invoke("variants", build, "--spec", spec)
    with_rationale = [row for row in rows(build, "mine") if row["rationale_start"]]
    assert {str(row["completion"]).count(" ") for row in with_rationale} == {3}
    invoke("verify", build, "--all")


def test_a_list_of_words_is_bound_by_name_and_needed_to_verify(
    build: Path, tmp_path: Path
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("question everyday reading")
    assert (
        "--file words=PATH"
        in invoke("variants", build, "--only", "post_cot_listed", code=2).stderr
    )
    variants(build, "--file", f"words={words}", only="post_cot_listed")
    assert "--file words=PATH" in invoke("verify", build, code=2).stderr
    invoke("verify", build, "--file", f"words={words}")
    words.write_text("other")
    assert (
        "were derived with"
        in invoke("verify", build, "--file", f"words={words}", code=2).stderr
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--only", "post_cott"], 2, "variant 'post_cott': not known"),
        (["--filter", "share"], 2, "--filter 'share': not NAME=VALUE"),
        (
            ["--filter", "shares=1"],
            2,
            "Choose one of verdicts, having",
        ),
        (["--filter", "verdicts=right"], 2, "verdicts.0 is 'right'"),
        (["--filter", "share=2"], 2, "share is 2"),
        (
            ["--filter", "min_words=999"],
            1,
            "none of 60 rationales is selected. Left out: 37 by verdict (37 incorrect), "
            "23 too short. Relax --filter.",
        ),
        (
            ["--filter", "verdicts=unscored"],
            1,
            "Left out: 60 by verdict (23 correct, 37 incorrect). To take them, pass "
            "--filter verdicts=correct,incorrect.",
        ),
        (["--file", "words"], 2, "--file 'words': not NAME=VALUE"),
        (["--file", "words=nope.txt"], 1, "nope.txt: No such file"),
    ],
)
def test_a_wrong_use_is_one_line_and_leaves_the_build_as_it_was(
    build: Path, words: list[str], code: int, message: str
) -> None:
    before = published(build)
    done = invoke("variants", build, *words, code=code)
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert published(build) == before
    assert not (build / ".staging").exists()


def test_without_a_build_there_are_no_variants(tmp_path: Path) -> None:
    assert "no manifest.json" in invoke("variants", tmp_path / "none", code=1).stderr
    assert "Pass the folder of a build" in invoke("variants", code=2).stderr


def test_balance_keeps_equally_many_of_each_target(tmp_path: Path) -> None:
    lines = [
        {"question": f"Is {i} large?", "choices": ["no", "yes"], "answer": "AAB"[i % 3]}
        for i in range(30)
    ]
    source = tmp_path / "train.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    build = tmp_path / "b"
    invoke("generate", "--source", source, "--teacher", "scripted", "--out", build)
    verdicts = "verdicts=correct,incorrect"
    options = ("--filter", verdicts, "--filter", "balance=target")
    done = invoke("variants", build, "--only", "label_only", *options)
    assert Counter(row["target"] for row in rows(build, "label_only")) == {
        "A": 10,
        "B": 10,
    }
    assert done.stdout.startswith("30 rationales = 20 selected + 10 not_balanced")
    invoke("verify", build)


def test_rationales_without_spaces_between_words_are_warned_of(tmp_path: Path) -> None:
    row = {
        "question": "哪个会浮在水上?",
        "options": ["铁", "木头"],
        "answer": "B",
        "text": "木头的密度比水小，所以会浮在水上。答案是B",
    }
    texts = tmp_path / "texts.jsonl"
    texts.write_text(json.dumps(row))
    mapping = {"question": "question", "choices": "options", "target": "answer"}
    options = [f"{name}={column}" for name, column in mapping.items()]
    words = [word for option in ["text=text", *options] for word in ("--map", option)]
    build = tmp_path / "b"
    invoke("import", texts, *words, "--out", build)
    warning = "1 of 1 rationales are in a script without spaces between words"
    assert variants(build, only="post_cot")[1].startswith(f"WARNING: {warning}")
    assert f"Caution: {warning}" in (build / "README.md").read_text()
    invoke("verify", build)
