"""Help pages: options in groups, then examples, in plain text."""

from collections import defaultdict
from typing import Any

from typer.core import TyperCommand

ASKING = "Asking"
FORMAT = "Rationales without a recipe"
MODEL = "A bare model"
QUESTIONS = "Questions"
RUNNING = "Running"
SAMPLING = "Sampling"
STUDENT = "Student"
TEACHER = "Teacher"
TRAINING = "Training"


class GroupedCommand(TyperCommand):
    """A command whose options are listed under the `rich_help_panel` they name.

    Typer groups options only when it formats help with rich, which draws boxes around
    them; this is the same grouping in plain text.
    """

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


def examples(*commands: str) -> str:
    """Return an epilog that lists commands, one a line."""
    lines = "\n".join(f"  {command}" for command in commands)
    # \b keeps click from refilling the lines.
    return f"\b\nExamples:\n{lines}"
