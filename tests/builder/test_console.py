"""One way to a terminal: nothing of others' controls, any encoding, closed streams."""

import ast
import io
import signal
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from cotbuild.builder.cli.app import main
from cotbuild.builder.console import (
    filter_streams,
    print_line,
    print_message,
    print_status,
)
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.errors import StoreError
from tests.support.commands import invoke

ROOT = Path(__file__).parents[2]
HOSTILE = "a\x1b]0;owned\x07\x9b2J\x7f\u202egpj\u2066\U000e0041\ud800\r東京 👩\u200d🌾"


def raw_controls(text: str) -> set[str]:
    """Return what a terminal might act on; line breaks and tabs are layout."""
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")
    kept = "\n\t\u200d"
    return {c for c in text if c not in kept and unicodedata.category(c) in hidden}


def standard_stream(encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")


def written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(stream.encoding)


def replace_streams(
    monkeypatch: pytest.MonkeyPatch, encoding: str = "utf-8"
) -> tuple[io.TextIOWrapper, io.TextIOWrapper]:
    """Replace standard output and standard error, inside the test that pytest captures."""
    out, err = standard_stream(encoding), standard_stream(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    return out, err


def test_a_line_is_one_line_without_controls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, err = replace_streams(monkeypatch)
    print_line(f"{HOSTILE}\nerror: not ours\tx")
    print_message(f"{HOSTILE}\nerror: not ours")
    for text in (written(out), written(err)):
        assert not raw_controls(text)
        assert text.count("\n") == 1
        assert "東京 👩\u200d🌾" in text


def test_a_status_line_holds_no_sequence_but_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, err = replace_streams(monkeypatch)
    filter_streams()
    print_status(HOSTILE, 200, last=True)
    text = written(err)
    assert text.startswith("\r\x1b[2K")
    assert not raw_controls(text.removeprefix("\r\x1b[2K"))


def test_what_others_print_is_filtered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, err = replace_streams(monkeypatch)
    filter_streams()
    filter_streams()  # once more is no more
    print(HOSTILE)
    print(HOSTILE, file=sys.stderr)
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    printed, messages = written(out), written(err)
    assert not raw_controls(printed + messages)
    assert printed == (
        r"a\u001b]0;owned\u0007\u009b2J\u007f\u202egpj\u2066\U000e0041\ud800\r"
        "東京 👩\u200d🌾\n"
    )
    assert messages.count("owned") == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "gbk", "utf-16"])
def test_every_encoding_can_be_written(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = replace_streams(monkeypatch, encoding)
    print_line(f"── é 東京 → 👩\u200d🌾 {HOSTILE}")
    Terminal().say("12 · 東京")
    filter_streams()
    print("é 東京", file=sys.stderr)
    assert written(out).startswith(("── é ", "-- "))
    assert "12 " in written(err)


def test_a_reader_that_went_away_and_a_full_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stdout", full)
        monkeypatch.setattr(sys, "stderr", full)
        print_message("no run ends because of a message")
        with pytest.raises(StoreError, match="standard output: cannot be written: No "):
            print_line("x")
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stdout", full)
        filter_streams()
        with pytest.raises(StoreError, match="standard output"):
            print("of a library")
    monkeypatch.setattr(sys, "stdout", None)  # closed by the shell
    monkeypatch.setattr(sys, "stderr", None)
    print_line("x")
    print_message("x")


def test_usage_errors_and_help_go_through_the_same_door(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, err = replace_streams(monkeypatch)
    handler = signal.getsignal(signal.SIGTERM)
    words = (
        ["inspect", "--\x1b[31m\u202e\x9b"],
        ["sources", HOSTILE],  # its lone surrogate is refused
        ["sources", HOSTILE.replace("\ud800", "")],
    )
    for arguments in words:
        monkeypatch.setattr(sys, "argv", ["cotbuild", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 2
    signal.signal(signal.SIGTERM, handler)
    messages = written(err)
    assert not raw_controls(written(out) + messages)
    assert "No such option" in messages
    assert "error: " in messages


# -- commands ----------------------------------------------------------------------------


def test_rows_ids_and_columns_of_a_file_are_shown_without_controls(
    tmp_path: Path,
) -> None:
    questions = tmp_path / "questions.csv"
    column = f"note{HOSTILE}".replace("\ud800", "").replace("\r", "")
    questions.write_text(
        f"id,question,answer,{column}\n"
        f'"q\x1b[31m\u202e","Where \x9b2J is \u2066this\x1b?","there \x7f\u202e",x\n'
    )
    out = tmp_path / "b"
    shown = [
        invoke("sources", questions),
        invoke("sources", questions, "--map", "question=nothing\x1b", code=2),
        invoke(
            "generate", "--source", questions, "--teacher", "scripted", "--out", out
        ),
        invoke("inspect", out),
        invoke("inspect", out, "--id", "no\x1b\u202e", code=1),
        invoke("generate", "--source", questions, "--out", tmp_path / "c", "--dry-run"),
    ]
    for done in shown:
        assert done.output
        assert not raw_controls(done.output)


# -- by construction ---------------------------------------------------------------------

DOOR = "builder/console.py"
PRINTING_MODULES = {"rich", "click", "pprint", "logging", "getpass", "curses"}
LOGGING_ALLOWED = {
    "builder/hub/repo.py",
    "builder/web/access.py",
    "builder/web/problems.py",
    "builder/web/server.py",
}
"""A filter on a logger of the Hub's client; uvicorn's logger, whose handler is the console."""
PRINTING_ATTRIBUTES = {
    *(("sys", name) for name in ("stdout", "stderr", "__stdout__", "__stderr__")),
    *(("typer", name) for name in ("echo", "secho", "prompt", "confirm")),
    ("os", "system"),
    *(("traceback", name) for name in ("print_exc", "print_exception")),
}


def product_files() -> Iterator[Path]:
    for package in ("schemas", "prompts", "builder", "student"):
        yield from sorted((ROOT / package).rglob("*.py"))


def ways_out(tree: ast.Module) -> Iterator[str]:
    """Yield what in a module could print."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id="print" | "input" | "breakpoint" as name, ctx=ast.Load()):
                yield name
            case ast.Attribute(value=ast.Name(id=module), attr=attribute):
                if (module, attribute) in PRINTING_ATTRIBUTES:
                    yield f"{module}.{attribute}"
            case ast.Import(names=names):
                modules = {alias.name.partition(".")[0] for alias in names}
                yield from modules & PRINTING_MODULES
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found = {(module, alias.name) for alias in names} & PRINTING_ATTRIBUTES
                yield from (".".join(pair) for pair in found)
                if module.partition(".")[0] in PRINTING_MODULES:
                    yield module


def test_nothing_prints_but_the_console() -> None:
    found = {}
    for path in product_files():
        name = path.relative_to(ROOT).as_posix()
        ways = set(ways_out(ast.parse(path.read_text())))
        if name in LOGGING_ALLOWED:
            ways -= {"logging"}
        if ways and name != DOOR:
            found[name] = ways
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "print(1)",
        "run(1, print)",
        "import sys\nsys.stderr.write('')",
        "from sys import stdout",
        "import rich.console",
        "from typer import echo",
    ],
)
def test_the_walk_finds_each_way_out(source: str) -> None:
    assert list(ways_out(ast.parse(source)))
