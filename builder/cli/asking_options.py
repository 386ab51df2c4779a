"""Options about what a teacher is asked, and in which way.

Each is `typer.Option` with its name, help and group.
"""

from functools import partial

import typer

from cotbuild.builder.cli.help import ASKING

mode_option = partial(
    typer.Option,
    help="elicit (default) hides the target, rationalize shows it, "
    "elicit-then-rationalize shows it after a wrong answer, reflect evaluates "
    "--attempts.",
    rich_help_panel=ASKING,
)
attempts_option = partial(
    typer.Option,
    metavar="PATH",
    help="Attempts for the teacher to evaluate: a file of texts, a build, or the "
    "folder of an evaluation. Sets --mode reflect.",
    rich_help_panel=ASKING,
)
attempts_map_option = partial(
    typer.Option,
    metavar="FIELD=COLUMN",
    help="Column of text, id or question in the file of attempts; repeatable.",
    rich_help_panel=ASKING,
)
wrong_attempts_option = partial(
    typer.Option,
    "--wrong-attempts",
    help="Evaluate only attempts that are not graded correct.",
    rich_help_panel=ASKING,
)
decode_option = partial(
    typer.Option,
    help="free (default); json: constrained to rationale and answer; "
    "choice: free rationale, then a constrained answer.",
    rich_help_panel=ASKING,
)
on_length_option = partial(
    typer.Option,
    help="keep (default) or longer: repeat a truncated request with more tokens.",
    rich_help_panel=ASKING,
)
exemplars_option = partial(
    typer.Option,
    metavar="SPLIT[:COUNT]",
    help="Draw worked examples from a split that has rationales.",
    rich_help_panel=ASKING,
)
template_option = partial(
    typer.Option,
    metavar="NAME@V",
    help="Prompt template or .yaml file, one per kind; repeatable.",
    rich_help_panel=ASKING,
)
system_option = partial(
    typer.Option,
    help="System prompt that replaces the template's.",
    rich_help_panel=ASKING,
)
no_system_option = partial(
    typer.Option,
    "--no-system",
    help="Send no system turn, for models that take none.",
    rich_help_panel=ASKING,
)
