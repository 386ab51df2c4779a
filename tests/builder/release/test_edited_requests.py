"""A build whose requests leave out, rename and add fields, through a release and back."""

import json
from pathlib import Path

from tests.support.commands import invoke, rows

EDITS = [
    *("--profile", "openai-reasoning", "--no-system"),
    *("--set", "seed=off", "--set", "teacher.rename.response_format=format"),
    *("--set", "teacher.extra_body={reasoning_effort: low, a: [1, null]}"),
]


def generate(out: Path, *words: object) -> str:
    usual = ["--teacher", "scripted", "--limit", 6, "--decode", "json"]
    return invoke("generate", *usual, "--out", out, *words).output


def test_edits_are_keyed_stated_published_and_kept(tmp_path: Path) -> None:
    plain, build, release, pulled = (
        tmp_path / name for name in ("plain", "build", "release", "pulled")
    )
    generate(plain)
    shown = generate(build, *EDITS)
    assert "not sent: frequency_penalty, min_p," in shown
    assert "renamed: max_tokens as max_completion_tokens" in shown
    keys = {row["request_key"] for row in rows(build)}
    assert not keys & {row["request_key"] for row in rows(plain)}

    invoke("verify", build)
    invoke("publish", build, f"file:{release}")
    card = (release / "README.md").read_text()
    assert "`response_format` was sent as `format`" in card
    assert '`{"a": [1, null], "reasoning_effort": "low"}`' in card
    assert "`seed`, `stop`, `temperature`" in card
    assert "was sent as" not in (plain / "README.md").read_text()

    invoke("pull", f"file:{release}", pulled)
    again = invoke("generate", "--config", pulled / "build.json", "--out", pulled)
    assert "no server started: rebuilt from stored answers" in again.output
    assert rows(pulled) == rows(build)


def test_a_changed_edit_is_found_by_verify_and_asked_anew(tmp_path: Path) -> None:
    out = tmp_path / "build"
    generate(out, *EDITS)
    assert "0 to send" in generate(out, *EDITS, "--dry-run")
    changed = generate(out, *EDITS, "--set", "sampling.max_tokens=off", "--dry-run")
    assert "6 to send" in changed
    assert "as many as the server allows generated" in changed

    settings = json.loads((out / "build.json").read_text())
    settings["teacher"]["omit"] = []
    (out / "build.json").write_text(json.dumps(settings))
    done = invoke("verify", out, code=1)
    assert "build.json: edits of requests" in done.output
