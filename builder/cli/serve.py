"""The commands `cotbuild serve` and `cotbuild serve token`."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import GroupedCommand, examples
from cotbuild.builder.cli.view import Announcer
from cotbuild.builder.console import print_line, print_message
from cotbuild.schemas.errors import ConfigError

ACCESS = "Access"
JOBS = "Jobs"
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
Many = list[str] | None

EXAMPLES = examples(
    "cotbuild serve --root builds",
    "cotbuild serve --root builds --allow-endpoint 'http://llm.lan:8000/*'",
    "cotbuild serve token add alice --role runner --root builds",
    "cotbuild serve --root builds --bind 0.0.0.0:8787 --behind-proxy --host cot.lan",
)
ADD_EXAMPLES = examples(
    "cotbuild serve token add alice --role runner --root builds",
    "cotbuild serve token add bob --role runner --hub-token-env BOB_HF --root builds",
)


class _ServeGroup(TyperGroup):
    """`cotbuild serve` runs the service; its options are listed in groups."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        GroupedCommand.format_options(self, ctx, formatter)  # type: ignore[arg-type]
        self.format_commands(ctx, formatter)


app = typer.Typer(
    cls=_ServeGroup,
    invoke_without_command=True,
    epilog=EXAMPLES,
    rich_markup_mode=None,
)
token_app = typer.Typer(
    help="Tokens of the API: who may read, submit jobs, administer.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(token_app, name="token")

Root = Annotated[
    Path, typer.Option("--root", metavar="DIR", help="Folder of the service.")
]


@app.callback()
def serve(
    context: typer.Context,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            metavar="DIR",
            help="Folder of builds, runs, evaluations and studies; created if it does not exist.",
            show_default=False,
        ),
    ] = None,
    bind: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT", help="Address to listen at; port 0 is any free one."
        ),
    ] = "127.0.0.1:8787",
    db: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Table of jobs: postgresql://…; SQLite under the root by default.",
            show_default=False,
        ),
    ] = None,
    no_browser: Annotated[
        bool,
        typer.Option("--no-browser", help="Only print the address, open no browser."),
    ] = False,
    host: Annotated[
        Many,
        typer.Option(
            metavar="NAME",
            help="Name by which browsers reach a proxy in front. Repeatable.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    behind_proxy: Annotated[
        bool,
        typer.Option(
            "--behind-proxy",
            help="A proxy in front speaks HTTPS. Needed to listen for other machines.",
            rich_help_panel=ACCESS,
        ),
    ] = False,
    allow_endpoint: Annotated[
        Many,
        typer.Option(
            metavar="URL",
            help="Teachers that jobs may ask, such as http://llm.lan:8000/*. Repeatable.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    allow_source: Annotated[
        Many,
        typer.Option(
            metavar="DIR",
            help="Folder whose files jobs may read. Repeatable.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    allow_repo: Annotated[
        Many,
        typer.Option(
            metavar="ORG/NAME",
            help="Repos that jobs may publish to, such as acme/*. Repeatable.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    secret_env: Annotated[
        Many,
        typer.Option(
            metavar="NAME",
            help="Environment variable whose secret jobs may use by its name. Repeatable.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    fetch_images: Annotated[
        bool,
        typer.Option(
            "--fetch-images",
            help="Let jobs download pictures from addresses in their questions.",
            rich_help_panel=ACCESS,
        ),
    ] = False,
    max_jobs: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Jobs that run at once.", rich_help_panel=JOBS
        ),
    ] = 2,
    keep_teacher: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="How long a teacher stays up after its last job.",
            rich_help_panel=JOBS,
        ),
    ] = "10m",
) -> None:
    """Serve builds and run jobs for a team: pages, an HTTP API, a table of jobs.

    It prints one address, which opens the page once. Other people and programs need
    tokens: see `cotbuild serve token add --help`.
    """
    if context.invoked_subcommand is not None:
        return
    with errors(kept="jobs that run go on, and are found again"):
        from cotbuild.builder.service.settings import ServiceSettings, parse_bind
        from cotbuild.builder.web.packages import serve_packages

        if root is None:
            raise ConfigError(
                "--root is missing. Pass the folder of builds, such as --root builds."
            )
        address, port = parse_bind(bind)
        settings = ServiceSettings(
            root=root.expanduser().absolute(),
            host=address,
            port=port,
            database=db,
            max_jobs=max_jobs,
            allow_endpoints=tuple(allow_endpoint or ()),
            allow_sources=tuple(
                Path(folder).expanduser().absolute() for folder in allow_source or ()
            ),
            allow_repos=tuple(allow_repo or ()),
            keep_teacher_s=parse_duration(keep_teacher, "--keep-teacher"),
            behind_proxy=behind_proxy,
            public_hosts=tuple(host or ()),
            secret_variables=tuple(secret_env or ()),
            fetch_images=fetch_images,
        )
        with serve_packages():
            from cotbuild.builder.service.run import run_service

            run_service(settings, Announcer(opens_browser=not no_browser))


@token_app.command("add", cls=GroupedCommand, epilog=ADD_EXAMPLES)
def add_token(
    name: Annotated[
        str, typer.Argument(help="Its name: the owner of what it submits.")
    ],
    role: Annotated[
        str, typer.Option(help="viewer reads all, runner submits, admin does all.")
    ],
    root: Root,
    hub_token_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Environment variable with the Hub token its jobs publish with.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make a token and print it, once."""
    with errors():
        from cotbuild.schemas.service.tokens import NewToken

        store = _open_tokens(root)
        values = {"name": name, "role": role, "hub_token_env": hub_token_env}
        token = store.add(NewToken.parse(values, "token", ConfigError))
        print_message(f"token of {token.name}, {token.role}; it is not shown again:")
        print_line(token.token)


@token_app.command("list", cls=GroupedCommand)
def list_tokens(root: Root) -> None:
    """List the tokens: name, role, when they were made."""
    with errors():
        for view in _open_tokens(root).views():
            publishes = f"  publishes with {view.hub_token_env}" * bool(
                view.hub_token_env
            )
            print_line(f"{view.name}  {view.role}  {view.created_at}{publishes}")


@token_app.command("remove", cls=GroupedCommand)
def remove_token(
    name: Annotated[str, typer.Argument(help="Name of a token.")], root: Root
) -> None:
    """Delete a token; sessions that it opened end."""
    with errors():
        _open_tokens(root).remove(name)
        print_message(f"removed {name}")


def parse_duration(text: str, option: str) -> float:
    """Parse `90s`, `10m` or `1h` to seconds; raises ConfigError for another form."""
    match = re.fullmatch(r"([0-9]{1,6})([smh])", text)
    if match is None:
        raise ConfigError(
            f"{option} {text!r} is no time. Write it as 90s, 10m or 1h; 0s for none."
        )
    return int(match[1]) * _UNITS[match[2]]


def _open_tokens(root: Path) -> Any:
    from cotbuild.builder.service.folders import make_service_folders
    from cotbuild.builder.service.settings import ServiceSettings
    from cotbuild.builder.service.tokens import TokenStore

    settings = ServiceSettings(root=root.expanduser().absolute())
    make_service_folders(settings)
    return TokenStore(settings.tokens_file)
