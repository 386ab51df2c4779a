"""`cotbuild study`: recipes trained, compared and reported.

One of the places where builder and student meet.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import GroupedCommand, examples
from cotbuild.builder.console import print_line
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.errors import ConfigError

if TYPE_CHECKING:
    from cotbuild.builder.study.context import StudyContext
    from cotbuild.schemas.manifest import Manifest
    from cotbuild.schemas.study.declaration import Study

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
    "cotbuild study STUDY.yaml.",
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
        int | None, typer.Option(min=1, help="Rationales to train on (1000, or all).")
    ] = None,
) -> None:
    """Write a STUDY.yaml with the paper's design and its controls."""
    with errors():
        from cotbuild.builder.evaluation.models import open_build
        from cotbuild.builder.study.init import study_text
        from cotbuild.builder.terminal import Terminal
        from cotbuild.schemas.files import write_text_atomic

        path = out / "STUDY.yaml"
        if path.exists():
            raise ConfigError(
                f"{path}: already exists. Edit it, delete it, or pass another --out."
            )
        text = study_text(open_build(source, Terminal()).manifest, source, rows)
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
) -> None:
    """Run or resume a study; several shells may share its cells."""
    with errors(resume=True, kept="every finished cell is kept"):
        from cotbuild.builder.evaluation.models import student_packages
        from cotbuild.builder.study.folder import read_study
        from cotbuild.builder.terminal import Terminal

        # A fault in the declaration is found before torch is imported, which takes
        # seconds.
        read_study(study)
        with student_packages():
            from cotbuild.builder.study.context import open_study
            from cotbuild.builder.study.cost import cost_lines
        if report_only:
            _report_only(study)
            return
        context = open_study(study, Terminal(), keep_weights=keep)
        if dry_run:
            for line in cost_lines(context):
                print_line(line)
        else:
            _run(context)


def _run(context: "StudyContext") -> None:
    from cotbuild.builder.study.registration import register_study
    from cotbuild.builder.study.run import run_study

    folder, study = context.folder, context.study
    register_study(folder, study, context.dev, context.test)
    run_study(context, lambda: _report(folder, study, context.build.manifest))


def _report_only(path: Path) -> None:
    """Write the report from the folder of the study alone, without models.

    If the build is there, its figures are read again.
    """
    from cotbuild.builder.build.directory import read_manifest
    from cotbuild.builder.study.folder import read_study

    study = read_study(path)
    manifest = read_manifest(Path(study.source).expanduser())
    _report(path.parent, study, manifest)


def _report(folder: Path, study: "Study", manifest: "Manifest | None") -> None:
    """Write report/ and print the outcome of each claim."""
    from cotbuild.builder.study.folder import REPORT, read_cells, read_question_accesses
    from cotbuild.builder.study.registration import record_variants
    from cotbuild.builder.study.report.wording import claim_lines
    from cotbuild.builder.study.report.write import write_report
    from cotbuild.builder.study.results import study_results

    record = record_variants(folder, study, manifest)
    results = study_results(
        study, record, read_cells(folder), read_question_accesses(folder)
    )
    page = write_report(folder / REPORT, record, results, study)
    for line in claim_lines(results):
        print_line(line)
    print_line(str(page))
