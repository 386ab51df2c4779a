"""`cotbuild study`: recipes trained, compared and reported.

One of the places where builder and student meet.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import SERVICE, GroupedCommand, examples
from cotbuild.builder.cli.remote import (
    detach_option,
    refuse_beside_server,
    run_on_server,
    server_option,
)
from cotbuild.builder.cli.reporting import open_ui
from cotbuild.builder.console import print_line
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.event import Phase

if TYPE_CHECKING:
    from cotbuild.builder.study.context import StudyContext
    from cotbuild.schemas.manifest import Manifest
    from cotbuild.schemas.study.parse import AnyStudy

RUN = "run"
INIT_EXAMPLES = examples("cotbuild study init builds/mine --out studies/mine")
RUN_EXAMPLES = examples(
    "cotbuild study studies/mine/STUDY.yaml --dry-run",
    "cotbuild study studies/mine/STUDY.yaml",
)
File = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY.yaml", help="See `cotbuild study init`.", show_default=False
    ),
]


class _StudyGroup(TyperGroup):
    """`cotbuild study FILE` is `cotbuild study run FILE`."""

    def resolve_command(
        self, ctx: Any, args: list[str]
    ) -> Any:  # typer keeps a click of its own, and no name for it
        known = args and (args[0] in self.commands or args[0].startswith("-"))
        return super().resolve_command(ctx, args if known else [RUN, *args])


app = typer.Typer(
    cls=_StudyGroup,
    help="Train every variant with several seeds and test pre-registered claims: "
    "cotbuild study STUDY.yaml. Its options are in `cotbuild study run --help`.",
    no_args_is_help=True,
)


@app.command(cls=GroupedCommand, epilog=INIT_EXAMPLES)
def init(
    source: Annotated[
        str,
        typer.Argument(help="Folder of a build with the paper set, or ORG/NAME@TAG."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the study.")],
    rows: Annotated[
        int | None,
        typer.Option(min=1, help="Rationales to train on (1000, or half of all)."),
    ] = None,
) -> None:
    """Write a STUDY.yaml with the paper's design and its controls."""
    with errors():
        from cotbuild.builder.evaluation.models import open_build
        from cotbuild.builder.study.init import study_text
        from cotbuild.schemas.files import write_text_atomic

        path = out / "STUDY.yaml"
        if path.exists():
            raise ConfigError(
                f"{path}: already exists. Edit it, delete it, or pass another --out."
            )
        build = open_build(source, open_ui())
        first = next(build.rationales(), None)
        if first is None:
            raise ConfigError(
                f"{source}: holds no rationales, so nothing can be trained on. "
                "Generate some first."
            )
        text = study_text(build.manifest, source, rows, first.kind)
        write_text_atomic(path, text)
        print_line(str(path))
        print_line(f"next: read it, then  cotbuild study {shell_quote(path)} --dry-run")


@app.command(RUN, cls=GroupedCommand, epilog=RUN_EXAMPLES)
def run(
    study: File,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show what is left to do and estimate the time; write nothing.",
        ),
    ] = False,
    report_only: Annotated[
        bool,
        typer.Option(
            "--report-only", help="Only draw the report, from the finished cells."
        ),
    ] = False,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep the weights of finished cells in .work."),
    ] = False,
    server: Annotated[str | None, server_option()] = None,
    detach: Annotated[bool, detach_option()] = False,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="With --server: name of the study's folder there; the default is that of "
            "the file's folder.",
            rich_help_panel=SERVICE,
        ),
    ] = None,
) -> None:
    """Run or resume a study; several shells may share its cells."""
    with errors(resume=True, kept="every finished cell is kept"):
        from cotbuild.builder.evaluation.models import student_packages
        from cotbuild.builder.study.folder import read_study

        if server is not None:
            from cotbuild.builder.cli.remote_requests import study_request

            refuse_beside_server({"--report-only": report_only})
            make_request = partial(study_request, path=study, out=out, keep=keep)
            run_on_server(server, make_request, detach=detach, dry_run=dry_run)
            return
        if dry_run and report_only:
            raise ConfigError("--dry-run, --report-only: pass one of them.")
        # A fault in the declaration is found before torch is imported, which takes
        # seconds.
        declared = read_study(study)
        with student_packages():
            from cotbuild.builder.study.context import open_study
            from cotbuild.builder.study.processors import need_units
        if report_only:
            _report_only(study)
            return
        if not dry_run:
            need_units(declared)
        ui = open_ui()
        ui.phase(Phase.PLANNING)
        context = open_study(study, ui, keep_weights=keep)
        if dry_run:
            _print_dry_run(context)
        else:
            _run(context)


def _print_dry_run(context: "StudyContext") -> None:
    """Print what a study can find and how long it takes."""
    from cotbuild.builder.study.cost import cost_lines
    from cotbuild.builder.study.expectations import expectation_lines
    from cotbuild.schemas.study.version_2 import StudyV2

    if isinstance(context.registered, StudyV2):
        for line in expectation_lines(context, context.registered):
            print_line(line)
    for line in cost_lines(context):
        print_line(line)


def _run(context: "StudyContext") -> None:
    from cotbuild.builder.study.folder import check_declaration
    from cotbuild.builder.study.registration import register_study
    from cotbuild.builder.study.run import run_study
    from cotbuild.schemas.study.version_2 import StudyV2

    folder, study = context.folder, context.study
    students = context.scoring_students
    record = register_study(folder, study, context.dev, context.test, students)
    if isinstance(context.registered, StudyV2):
        check_declaration(folder, record, context.registered)

    def report() -> None:
        context.ui.phase(Phase.ANALYSING)
        _report(folder, study, context.build.manifest)

    run_study(context, report)


def _report_only(path: Path) -> None:
    """Write the report from the folder of the study alone, without models.

    If the build is there, its figures are read again.
    """
    from cotbuild.builder.build.directory import read_manifest
    from cotbuild.builder.study.folder import read_study

    study = read_study(path)
    manifest = read_manifest(Path(study.source).expanduser())
    _report(path.parent, study, manifest)


def _report(folder: Path, study: "AnyStudy", manifest: "Manifest | None") -> None:
    """Write report/ and print the outcome of each claim."""
    from cotbuild.builder.study.check_cells import check_cells
    from cotbuild.builder.study.folder import (
        CELLS,
        REPORT,
        SENSITIVITY,
        read_cells,
        read_question_accesses,
    )
    from cotbuild.builder.study.registration import prepare_report
    from cotbuild.builder.study.report.lines import claim_lines
    from cotbuild.builder.study.report.write import write_report
    from cotbuild.builder.study.results import study_results

    record = prepare_report(folder, study, manifest)
    cells, own_settings = read_cells(folder), read_cells(folder, SENSITIVITY)
    check_cells(record, cells, CELLS)
    check_cells(record, own_settings, SENSITIVITY)
    accesses = read_question_accesses(folder)
    results = study_results(study, record, cells, accesses, own_settings)
    page = write_report(folder / REPORT, record, results, study)
    for line in claim_lines(results):
        print_line(line)
    print_line(str(page))
