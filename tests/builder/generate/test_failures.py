"""What becomes of requests that failed: they are asked again, or shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.api import Build, generate
from cotbuild.builder.cli.failures import remedy_lines, unscored_lines
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.manifest import FailureGroup, Manifest
from tests.support.commands import HERE, invoke, rows, write_questions
from tests.support.http_teacher import Server, serve

NUM = 24
OLD_BUILD = HERE / "golden" / "builds" / "row_version_1"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_questions(
        tmp_path / "q.jsonl", (f"Which of these is number {i}?" for i in range(NUM))
    )


def ask(server: Server, source: Path, out: Path, **options: Any) -> Build:
    teacher = {"model": "fake", "endpoints": [server.url], "max_attempts": 1}
    values = {"teacher": {**teacher, "window": 4}, "source": {"name": str(source)}}
    config = BuildConfig.parse(values, "test")
    return generate(config, out=out, progress=False, **options)


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({"http_400": 1.0}, id="early stop"),
        pytest.param({"http_422": 0.4, "http_404": 0.1}, id="404 in the middle"),
    ],
)
def test_what_a_stopped_run_saw_rejected_is_asked_again_by_the_next_one(
    source: Path, tmp_path: Path, faults: dict[str, float]
) -> None:
    out = tmp_path / "b"
    with serve(faults=faults, times=0) as server:
        with pytest.raises(TeacherError):
            ask(server, source, out)
        server.set(faults={})
        build = ask(server, source, out)
    assert build.manifest.failures == {}
    assert len(rows(out)) == NUM


# -- why requests failed is shown --------------------------------------------------------


def test_every_reason_is_shown_on_the_screen_in_inspect_and_on_the_card(
    source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "b"
    with serve(faults={"http_422": 0.3, "http_503": 0.3}, times=0) as server:
        config = tmp_path / "config.yaml"
        teacher = {"model": "fake", "endpoints": [server.url], "max_attempts": 1}
        config.write_text(json.dumps({"teacher": teacher}))
        words = ["generate", "--config", config, "--source", source, "--out", out]
        done = invoke(*words, code=3)
    build = Build.open(out)
    counts = build.manifest.failures
    assert build.num_failed == counts["rejected"] + counts["unavailable"] > 5
    said = {
        "rejected": "HTTP 422: fault on a dial: http_422",
        "unavailable": "HTTP 503: fault on a dial: http_503",
    }
    shown = invoke("inspect", out, "--verdict", "unscored", "--limit", 99).stdout
    card = (out / "README.md").read_text()
    for kind, message in said.items():
        assert f"  {counts[kind]} {kind}: {message}" in done.stdout
        assert f"  {counts[kind]} {kind}: {message}" in shown
        assert shown.count(f"failed     {kind}: {message}") == counts[kind]
        escaped = message.replace(":", r"\:").replace("_", r"\_")
        assert f"  - {counts[kind]} {kind}: " in card
        assert escaped.split()[-1] in card
    failed = [row for row in build.rationales() if row.failure is not None]
    assert all(row.failure_message == said[str(row.failure)] for row in failed)
    assert build.verify()


def manifest(failures: dict[str, int], *groups: tuple[str, str, int]) -> Manifest:
    made = Manifest.parse(json.loads((OLD_BUILD / "manifest.json").read_text()), "test")
    return made.model_copy(
        update={
            "failures": failures,
            "failure_messages": tuple(
                FailureGroup(kind=kind, message=message, count=count)
                for kind, message, count in groups
            ),
        }
    )


@pytest.mark.parametrize(
    ("failures", "groups", "expected"),
    [
        ({}, [], []),
        ({"no_target": 3}, [], ["unscored: 3 no_target"]),
        (
            {"rejected": 2, "unavailable": 2},
            [],
            [
                "unscored: 2 rejected, 2 unavailable",
                "2 requests rejected: sent again only with --retry-failed",
            ],
        ),
        (
            {"rejected": 5},
            [("rejected", "HTTP 400: System role not supported", 4)],
            [
                "unscored: 5 rejected",
                "  4 rejected: HTTP 400: System role not supported",
                "  1 rejected: other messages",
                "5 requests rejected: sent again only with --retry-failed",
                "  The model takes no system turn. Add --no-system to send none.",
            ],
        ),
        (
            {"bad_body": 1},
            [("bad_body", "word " * 20, 1)],
            [
                "unscored: 1 bad_body",
                "  1 bad_body: word word word word word word word word word word word word word",
                "              word word word word word word word",
            ],
        ),
    ],
)
def test_lines_on_failures(
    failures: dict[str, int],
    groups: list[tuple[str, str, int]],
    expected: list[str],
) -> None:
    found = manifest(failures, *groups)
    lines = [*unscored_lines(found), *remedy_lines(found)]
    assert lines == expected
    assert max(map(len, lines), default=0) <= 80
    assert found.num_failed == sum(failures.values()) - failures.get("no_target", 0)


def test_lines_on_constrained_answers_that_were_cut() -> None:
    by_rule = {"choice_request": {"correct": 2, "truncated": 3}}
    found = manifest({}).model_copy(update={"answer_rules": by_rule})
    assert list(remedy_lines(found)) == [
        "3 constrained answers cut by the token limit of decode choice",
        "  A teacher that reasons first needs more, such as --set choice_tokens=2048.",
    ]
