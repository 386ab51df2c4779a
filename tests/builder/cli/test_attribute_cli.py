"""`cotbuild attribute`: from a trained run to scores to variants; gone on with after a
kill; what it refuses.
"""

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from cotbuild.builder.attribution_bounds import LOOSE_BOUNDS
from cotbuild.builder.processes import PROCESSES
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.scores import ScoresFile
from cotbuild.builder.variants.transforms.pick import word_scores
from cotbuild.builder.variants.units import word_spans, words
from tests.schemas.test_records import question
from tests.support.commands import cotbuild, invoke, rows, start
from tests.support.student_builds import make_build
from tests.support.tiny import save_tiny

LIMIT = 6
LOOSE = ("--max-error", 1e6, "--min-rank-correlation", -1)
"""Bounds that random weights pass at the first doubling."""


def train(build: Path, variant: str, student: Path, out: Path, *options: object) -> str:
    """Train into `out`, and return what was written to standard error."""
    words = ["--variant", variant, "--student", student, "--epochs", 1, "--lr", 0.01]
    return invoke("train", build, *words, *options, "--out", out).stderr


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("student") / "tiny", "gpt2")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_build(tmp_path_factory.mktemp("attribute"), 24, ("pre_cot", "post_cot"))


@pytest.fixture(scope="module")
def run(build: Path, student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "pre_cot"
    train(build, "pre_cot", student, out)
    return out


def subject_of(row: dict[str, object]) -> RationaleExample:
    """As far as the file of scores asks."""
    index, rationale = row["sample_index"], str(row["rationale"])
    assert isinstance(index, int)
    return RationaleExample(question(id=row["question_id"]), index, rationale)


def test_scores_become_key_words_and_their_controls(
    build: Path, run: Path, tmp_path: Path
) -> None:
    before = rows(build, "pre_cot")
    out = tmp_path / "scores.parquet"
    said = cotbuild(
        "attribute", run, "--limit", LIMIT, "--steps", 4, *LOOSE, "--out", out
    ).stdout.splitlines()
    info = json.loads(pq.read_metadata(out).metadata[b"cotbuild.scores"])
    assert (info["format_version"], info["method"], info["steps"]) == (
        2,
        "integrated-gradients",
        4,
    )
    assert (info["num_scored"], info["refused"]) == (LIMIT, {})
    assert info["steps_reached"] == {"8": LIMIT}
    assert (info["baseline"], info["num_compared"]) == ("embedding of <eos>", LIMIT)
    assert info["student"].startswith("trained:")
    assert 0 <= info["completeness_median"] <= info["completeness_p95"]
    assert -1 <= info["rank_correlation"] <= 1
    assert said[0] == f"{LIMIT} rationales by integrated-gradients"
    assert said[1] == (
        "baseline embedding of <eos>; bounds: completeness error at most 1e+08%, "
        "rank correlation with half the steps at least -1"
    )
    assert said[2] == f"steps where doubling ended: {LIMIT} at 8"
    assert said[4] == f"WARNING: {LOOSE_BOUNDS}"
    assert said[5] == "0 refused, not converged by 1024 steps"
    assert (
        said[6]
        == f"{len(before) - LIMIT} rows of pre_cot without scores: every aligned variant drops them"
    )
    assert (
        said[-1]
        == f"next: cotbuild variants {build} --only pre_cot,key_tokens --file scores={out}"
    )
    derived = invoke(*said[-1].removeprefix("next: cotbuild ").split()).stdout
    assert (
        f"file scores: integrated-gradients of {info['student']}; {LIMIT} rationales "
        "scored; none refused; bounds: completeness error at most 1e+08%, rank correlation "
        "with half the steps at least -1; completeness error: median "
    ) in derived
    assert f"; WARNING: {LOOSE_BOUNDS}\n" in derived

    scored = {row["question_id"] for row in pq.read_table(out).to_pylist()}
    texts = {
        row["question_id"]: row for row in rows(build) if row["question_id"] in scored
    }
    file = ScoresFile(out)
    for name in ("post_cot_attributed_15", "post_cot_attributed_15_no_options"):
        made = {row["question_id"]: rationale_of(row) for row in rows(build, name)}
        control = {
            row["question_id"]: rationale_of(row)
            for row in rows(build, f"{name}_random")
        }
        assert made.keys() == control.keys() == scored
        for key, row in texts.items():
            assert len(words(made[key])) == len(words(control[key]))
            if name == "post_cot_attributed_15":
                assert made[key] == " ".join(
                    fifteen_best(str(row["rationale"]), file, subject_of(row))
                )
    file.close()
    invoke("variants", build, "--only", "pre_cot,post_cot")  # as other tests find it
    assert rows(build, "pre_cot") == before


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("build")  # which the run was trained on
def test_scores_of_two_processes_are_those_of_one(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_run = tmp_path / "run"
    shutil.copytree(run, other_run, ignore=shutil.ignore_patterns("attribution"))
    by_words = ("--method", "leave-one-word-out", "--limit", 6, "--out")
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    cotbuild("attribute", run, *by_words, one)
    monkeypatch.setenv(PROCESSES, "2")
    dry = cotbuild("attribute", other_run, *by_words, two, "--dry-run")
    assert "s a rationale in each of 2 processes (measured" in dry.stdout
    cotbuild("attribute", other_run, *by_words, two)
    scored = [pq.read_table(path).to_pylist() for path in (one, two)]
    assert [row["question_id"] for row in scored[0]] == [
        row["question_id"] for row in scored[1]
    ]
    for of_one, of_two in zip(*scored, strict=True):
        assert [span["score"] for span in of_one["spans"]] == pytest.approx(
            [span["score"] for span in of_two["spans"]], abs=1e-4
        )


def test_words_and_tokens_are_compared_and_refused_rationales_are_counted(
    build: Path, run: Path, tmp_path: Path
) -> None:
    words, tokens = tmp_path / "words.parquet", tmp_path / "tokens.parquet"
    by_words = ("attribute", run, "--method", "leave-one-word-out")
    said = invoke(*by_words, "--out", words).stdout.splitlines()
    num_rows = len(rows(build, "pre_cot"))
    assert said[0] == f"{num_rows} rationales by leave-one-word-out"
    assert said[1] == str(words)
    # Equal scores of half and all steps to the last digit: nothing passes that.
    # 4 is the last that is tried: 8 would be more than 7.
    strict = ("--steps", 2, "--max-steps", 7, "--max-error", 1e-300)
    said = invoke(
        *("attribute", run, *strict, "--limit", LIMIT, "--out", tokens),
        *("--agreement", words),
    ).stdout.splitlines()
    assert f"{LIMIT} refused, not converged by 4 steps ({LIMIT} completeness)" in said
    assert (
        f"agreement of integrated-gradients with leave-one-word-out ({words}): 0 "
        f"rationales with both; without scores by the first {LIMIT}, by the second 0"
    ) in said
    assert not said[-1].startswith("next: ")
    done = invoke(
        "variants",
        build,
        *("--only", "pre_cot,key_tokens", "--file", f"scores={tokens}"),
        code=1,
    )
    assert "have no row" in done.stderr

    said = invoke(
        *("attribute", run, "--steps", 4, *LOOSE, "--limit", LIMIT),
        *("--out", tmp_path / "loose.parquet", "--agreement", words),
    ).stdout.splitlines()
    table = tmp_path / "loose.agreement.csv"
    assert f"each rationale: {table}" in said
    assert len(table.read_text().splitlines()) == LIMIT + 1
    assert any(line.startswith("rank correlation of words: median ") for line in said)


def test_bounds_beside_words_and_files_of_another_method_are_refused(
    run: Path, tmp_path: Path
) -> None:
    by_words = ("attribute", run, "--method", "leave-one-word-out")
    done = invoke(*by_words, "--max-error", 0.1, code=2)
    assert done.stderr.splitlines() == [
        "error: --max-error 0.1 is for integrated-gradients, and leave-one-word-out "
        "has nothing to converge. Leave it out."
    ]
    out = tmp_path / "words.parquet"
    invoke(*by_words, "--limit", 1, "--out", out)
    done = invoke("attribute", run, "--limit", 1, "--out", out, code=2)
    assert done.stderr.splitlines() == [
        f"error: {out}: has scores by leave-one-word-out, not integrated-gradients. "
        "Pass another file as --out, or delete this one."
    ]


def rationale_of(row: dict[str, object]) -> str:
    return str(row["completion"]).partition("\nReasoning: ")[2]


def fifteen_best(
    rationale: str, file: ScoresFile, subject: RationaleExample
) -> list[str]:
    spans = file.spans(subject)
    assert spans
    scores = word_scores(word_spans(rationale), spans, "with")
    best = sorted(sorted(scores, key=lambda place: (-scores[place], place))[:15])
    return [words(rationale)[place] for place in best]


@pytest.mark.slow
def test_killed_again_and_again_it_ends_as_if_it_had_not_been(
    run: Path, tmp_path: Path
) -> None:
    command = [
        *("attribute", run, "--steps", 8, *LOOSE),
        *("--out", tmp_path / "scores.parquet"),
    ]
    log = run / "attribution"
    known = set(log.glob("*"))
    kills = 0
    while kills < 2:
        with start(*command) as process:
            while process.poll() is None and lines(log, known) < 2 * (kills + 1):
                time.sleep(0.02)
            assert process.poll() is None, "it ended before it was killed"
            os.killpg(process.pid, signal.SIGKILL)
        kills += 1
    (file,) = set(log.glob("*")) - known
    with file.open("ab") as torn:
        torn.write(b'{"question_id"')
    done = file.read_bytes().split(b"\n")[:-1]
    cotbuild(*command)
    assert file.read_bytes().split(b"\n")[: len(done)] == done
    gone_on = pq.read_table(tmp_path / "scores.parquet")
    file.unlink()
    cotbuild(*command)
    whole = pq.read_table(tmp_path / "scores.parquet")
    assert gone_on.equals(whole)
    build = Path(json.loads((run / "source.json").read_text())["source"])
    keys = [(row["question_id"], row["sample_index"]) for row in rows(build, "pre_cot")]
    assert [
        (row["question_id"], row["sample_index"]) for row in whole.to_pylist()
    ] == keys


def lines(log: Path, known: set[Path]) -> int:
    return sum(file.read_bytes().count(b"\n") for file in set(log.glob("*")) - known)


@pytest.mark.slow
def test_a_dry_run_says_what_it_takes_and_writes_nothing(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for method in ("integrated-gradients", "leave-one-word-out"):
        said = invoke(
            "attribute", run, "--method", method, "--limit", LIMIT, "--dry-run"
        ).stdout.splitlines()
        assert said[0] == f"{LIMIT} rationales by {method}"
        assert "on this machine" in said[1]
    assert {
        path: path.read_bytes() for path in run.rglob("*") if path.is_file()
    } == before


def declare_study(path: Path, build: Path, student: Path) -> Path:
    """A study of words chosen by scores; its dev and test questions are held out."""
    attributed, control = "post_cot_attributed_15", "post_cot_attributed_15_random"
    helps = {"name": "helps", "says": "It helps.", "claim": "beats"}
    held_out = {"split": "train", "unseen": True}
    stage = {"name": "all", "variants": [attributed, control], "seeds": [0, 1]}
    values = {
        "format_version": 2,
        "name": "words",
        "source": str(build),
        "dev": {**held_out, "count": 2},
        "test": {**held_out, "count": 3},
        "gate": {"variant": control, "standard_errors": 0.0},
        "tiers": [
            {"name": "first", "claims": [{**helps, "a": attributed, "b": control}]}
        ],
        "stages": [{**stage, "rows": [2], "students": [str(student)]}],
    }
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_needs_scores_of_a_student_that_has_not_seen_its_questions(
    student: Path, tmp_path: Path
) -> None:
    build = make_build(tmp_path, 24, ("pre_cot",))
    study = declare_study(tmp_path / "STUDY.yaml", build, student)
    unseen, scores = tmp_path / "unseen", tmp_path / "scores.parquet"
    done = train(build, "pre_cot", student, unseen, "--hold-out", study)
    left_out = re.search(f"(\\d+) rows of the questions of {study} left out", done)
    assert left_out is not None
    seen = tmp_path / "seen"
    train(build, "pre_cot", student, seen)
    num_scored = []
    for run, code in ((unseen, 0), (seen, 2)):
        scores.unlink(missing_ok=True)
        by_words = ("--method", "leave-one-word-out", "--out", scores)
        kept = ("--hold-out", study) if run == unseen else ()
        # With scores of a part, the aligned rows are fewer than the run was trained on.
        invoke("variants", build, "--only", "pre_cot")
        invoke("attribute", run, *by_words, *kept)
        options = ("--only", "pre_cot,key_tokens", "--file", f"scores={scores}")
        invoke("variants", build, *options)
        ended = invoke("study", study, "--dry-run", code=code)
        num_scored.append(pq.read_table(scores).num_rows)
    num_rows = len(rows(build, "pre_cot"))
    assert num_scored == [num_rows - int(left_out[1]), num_rows]
    (line,) = ended.stderr.splitlines()
    assert line.startswith(
        "error: variant 'post_cot_attributed_15': its words were chosen by scores of a "
        "student (trained:"
    )
    assert "cotbuild train --hold-out STUDY.yaml" in line


@pytest.mark.slow
def test_a_run_that_says_the_label_first_is_refused_in_a_line(
    build: Path, student: Path, tmp_path: Path
) -> None:
    post_cot = tmp_path / "run"
    train(build, "post_cot", student, post_cot)
    done = invoke("attribute", post_cot, code=2)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {post_cot}: variant 'post_cot' ")
    assert line.endswith("Train pre_cot and attribute that run.")


@pytest.mark.slow
def test_a_build_that_has_changed_is_refused(run: Path, tmp_path: Path) -> None:
    other = make_build(tmp_path, 12, ("pre_cot",))
    done = invoke("attribute", run, "--source", other, code=1)
    assert f"{other}: the rows of 'pre_cot' have digest" in done.stderr
    assert len(done.stderr.splitlines()) == 1
