"""docs/deploy.md and deploy/: every option that they name is there."""

import re
import shlex
from pathlib import Path

import pytest

from tests.support.commands import invoke

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "deploy.md"
UNIT = ROOT / "deploy" / "cotbuild.service"
CONTAINERFILE = ROOT / "deploy" / "Containerfile"


def _options_of(*command: str) -> set[str]:
    return set(re.findall(r"--[a-z][a-z-]+", invoke(*command, "--help").output))


SERVE, TOKEN_ADD = _options_of("serve"), _options_of("serve", "token", "add")


@pytest.mark.parametrize("path", [PAGE, UNIT, CONTAINERFILE])
def test_options_of_cotbuild_serve_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    text = text.replace('", "', " ").replace('["cotbuild', "cotbuild")
    found = re.findall(r"cotbuild serve( token add)?( [^\n`#]*)", text)
    assert found
    for is_token, words in found:
        named = set(re.findall(r"--[a-z][a-z-]+", words))
        assert named <= (TOKEN_ADD if is_token else SERVE), words


def test_options_in_the_table_exist() -> None:
    rows = re.findall(r"^\| `(--[^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.M)
    assert len(rows) == 5
    assert {row.split()[0] for row in rows} <= SERVE


def test_the_unit_is_split_into_words_as_it_is_meant() -> None:
    lines = UNIT.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    (start,) = [line for line in lines if line.startswith("ExecStart=")]
    words = shlex.split(start.removeprefix("ExecStart="))
    assert words[:4] == [
        "/opt/cotbuild/bin/cotbuild",
        "serve",
        "--root",
        "/srv/cotbuild",
    ]
    assert "KillMode=process" in lines


def test_files_that_the_page_links_exist() -> None:
    linked = re.findall(r"\]\((?!https?:|#)([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert linked
    assert all((PAGE.parent / path).resolve().exists() for path in linked)
