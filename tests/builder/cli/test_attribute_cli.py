"""`cotbuild attribute`: from a trained run to scores to variants; gone on with after a
kill; what it refuses.
"""

import json
import os
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.scores import ScoresFile
from cotbuild.builder.variants.transforms.pick import word_scores
from cotbuild.builder.variants.transforms.units import word_spans, words
from tests.schemas.test_records import question
from tests.support.commands import cotbuild, rows, start
from tests.support.student_builds import make_build
from tests.support.tiny import save_tiny

LIMIT = 6


def train(build: Path, variant: str, student: Path, out: Path) -> Path:
    words = ["--variant", variant, "--student", student, "--epochs", 1, "--lr", 0.01]
    cotbuild("train", build, *words, "--out", out)
    return out


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("student") / "tiny", "gpt2")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_build(tmp_path_factory.mktemp("attribute"), 24, ("pre_cot", "post_cot"))


@pytest.fixture(scope="module")
def run(build: Path, student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(build, "pre_cot", student, tmp_path_factory.mktemp("runs") / "pre_cot")


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
        "attribute", run, "--limit", LIMIT, "--steps", 4, "--out", out
    ).stdout.splitlines()
    info = json.loads(pq.read_metadata(out).metadata[b"cotbuild.scores"])
    assert (info["method"], info["steps"], info["compared_steps"]) == (
        "integrated_gradients",
        4,
        16,
    )
    assert (info["baseline"], info["num_compared"]) == ("embedding of <eos>", LIMIT)
    assert info["student"].startswith("trained:")
    assert 0 <= info["completeness_median"] <= info["completeness_p95"]
    assert -1 <= info["rank_correlation"] <= 1
    assert said[0] == f"{LIMIT} rationales; 4 steps, baseline embedding of <eos>"
    assert (
        said[3]
        == f"{len(before) - LIMIT} rows of pre_cot without scores: every aligned variant drops them"
    )
    assert (
        said[-1]
        == f"next: cotbuild variants {build} --only pre_cot,key_tokens --file scores={out}"
    )
    cotbuild(*said[-1].removeprefix("next: cotbuild ").split())

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
    cotbuild("variants", build, "--only", "pre_cot,post_cot")  # as other tests find it
    assert rows(build, "pre_cot") == before


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
    command = ["attribute", run, "--steps", 8, "--out", tmp_path / "scores.parquet"]
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
        torn.write(b'{"scored":{"question_id"')
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
    said = cotbuild(
        "attribute", run, "--steps", 4, "--limit", LIMIT, "--dry-run"
    ).stdout.splitlines()
    assert said[0].startswith(f"{LIMIT} rationales: 4 steps of ")
    assert said[0].endswith(f"{LIMIT} of them again with 16 steps, to compare")
    assert said[1].endswith(" tokens")
    assert "on this machine" in said[2]
    assert {
        path: path.read_bytes() for path in run.rglob("*") if path.is_file()
    } == before


@pytest.mark.slow
def test_a_run_that_says_the_label_first_is_refused_in_a_line(
    build: Path, student: Path, tmp_path: Path
) -> None:
    post_cot = train(build, "post_cot", student, tmp_path / "run")
    done = cotbuild("attribute", post_cot, code=2)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {post_cot}: variant 'post_cot' ")
    assert line.endswith("Train pre_cot and attribute that run.")


@pytest.mark.slow
def test_a_build_that_has_changed_is_refused(run: Path, tmp_path: Path) -> None:
    other = make_build(tmp_path, 12, ("pre_cot",))
    done = cotbuild("attribute", run, "--source", other, code=1)
    assert f"{other}: the rows of 'pre_cot' have digest" in done.stderr
    assert len(done.stderr.splitlines()) == 1
