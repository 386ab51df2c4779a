"""Help pages: options in groups, then examples, in plain text."""

import os
from collections import defaultdict
from typing import Any

import typer
from typer.core import TyperCommand

ASKING = "Asking"
BUDGET = "Budget"
FORMAT = "Rationales without a recipe"
MODEL = "A bare model"
QUESTIONS = "Questions"
RUNNING = "Running"
SAMPLING = "Sampling"
SCRIPTS = "A script for a cluster"
SERVICE = "A service"
STUDENT = "Student"
TEACHER = "Teacher"
TRAINING = "Training"
WORKERS = "Workers"

PATH_OPTIONS = frozenset(
    {
        "agreement",
        "attempts",
        "base",
        "config",
        "hold_out",
        "images",
        "json_file",
        "order_from",
        "out",
    }
    | {"rationales_from", "source", "spec", "static", "student"}
)
"""Options whose value is, or may be, a path."""


class GroupedCommand(TyperCommand):
    """A command whose options are listed under the `rich_help_panel` they name.

    Typer groups options only when it formats help with rich, which draws boxes around
    them; this is the same grouping in plain text. Arguments are checked here too, before
    any of them is taken for a path.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _refuse_bad_encoding(ctx, args)
        values, _, _ = self.make_parser(ctx).parse_args([*args])
        for parameter in self.get_params(ctx):
            _refuse_empty_path(ctx, parameter, values.get(parameter.name))
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        groups["Arguments"] = []
        groups["Options"] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            is_argument = parameter.param_type_name == "argument"
            default = "Arguments" if is_argument else "Options"
            title = getattr(parameter, "rich_help_panel", None) or default
            groups[title].append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _refuse_bad_encoding(ctx: Any, args: list[str]) -> None:
    """Raise BadParameter where an argument is not valid UTF-8, as no file keeps it."""
    for word in args:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise typer.BadParameter(_encoding_fault(word), ctx) from None


def _encoding_fault(word: str) -> str:
    """Describe an argument that was decoded into lone surrogates."""
    try:
        text = os.fsencode(word).decode()
    except UnicodeError:
        return f"{word!r} is not valid UTF-8. Rename the file or folder."
    return f"{text!r} cannot be read in this locale. Set LC_ALL=C.UTF-8 and run again."


def _refuse_empty_path(ctx: Any, parameter: Any, value: Any) -> None:
    """Raise BadParameter for an empty path, which would stand for the current folder."""
    is_argument = parameter.param_type_name == "argument"
    is_path = is_argument or parameter.name in PATH_OPTIONS
    values = value if isinstance(value, list | tuple) else [value]
    if is_path and "" in values:
        raise typer.BadParameter(
            "'' is empty. Pass a path, such as . for the current folder.",
            ctx,
            parameter,
        )


def examples(*commands: str) -> str:
    """Return an epilog that lists commands, one a line."""
    lines = "\n".join(f"  {command}" for command in commands)
    # \b keeps click from refilling the lines.
    return f"\b\nExamples:\n{lines}"
