"""Options about the teacher and its sampling, defined once for the commands that have
them.

Each is `typer.Option` with its name, help and group. A command passes another `help` where
it does something else.
"""

from functools import partial

import typer

from cotbuild.builder.cli.help import SAMPLING, TEACHER
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.server_profiles import PROFILE_NAMES

DEFAULT = BuildConfig()
"""Its values are named in the help; the options default to None, for "not given"."""

teacher_option = partial(
    typer.Option,
    help="embedded (default), scripted, a folder, a Hub id, or the name that --endpoint "
    "serves.",
    rich_help_panel=TEACHER,
)
endpoint_option = partial(
    typer.Option,
    metavar="URL",
    help="OpenAI-compatible server, up to /v1; repeatable.",
    rich_help_panel=TEACHER,
)
revision_option = partial(
    typer.Option,
    help="Commit of a Hub id, or a name for what the endpoint serves.",
    rich_help_panel=TEACHER,
)
profile_option = partial(
    typer.Option,
    help="Kind of server at --endpoint, which decides what it is not sent: "
    f"{', '.join(PROFILE_NAMES)}.",
    rich_help_panel=TEACHER,
)
window_option = partial(
    typer.Option,
    help="Maximum requests in flight per server.",
    rich_help_panel=TEACHER,
)
samples_option = partial(
    typer.Option,
    help=f"Samples per question ({DEFAULT.samples}).",
    rich_help_panel=SAMPLING,
)
temperature_option = partial(
    typer.Option,
    help=f"Temperature; 0 is greedy ({DEFAULT.sampling.temperature}).",
    rich_help_panel=SAMPLING,
)
top_p_option = partial(
    typer.Option,
    help=f"Nucleus sampling; 1 is off ({DEFAULT.sampling.top_p}).",
    rich_help_panel=SAMPLING,
)
max_tokens_option = partial(
    typer.Option,
    help=f"Maximum new tokens per request ({DEFAULT.sampling.max_tokens}).",
    rich_help_panel=SAMPLING,
)
seed_option = partial(
    typer.Option,
    help=f"Seed that every request's seed is derived from ({DEFAULT.seed}).",
    rich_help_panel=SAMPLING,
)
