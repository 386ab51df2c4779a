"""`cotbuild evaluate`: accuracy of a student, beside its untrained base model."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import MODEL, QUESTIONS, examples
from cotbuild.builder.cli.remote import (
    detach_option,
    run_on_server,
    server_option,
)
from cotbuild.builder.cli.reporting import open_ui
from cotbuild.builder.cli.source_options import config_name_option
from cotbuild.builder.console import print_line
from cotbuild.schemas.training import Precision

if TYPE_CHECKING:
    from cotbuild.builder.evaluation.run import PreparedEvaluation

EXAMPLES = examples(
    "cotbuild evaluate runs/post_cot --split dev",
    "cotbuild evaluate embedded --source openbookqa --split dev --out results/base",
    "cotbuild evaluate runs/given_rationale --rationales-from runs/rationale_only",
)

Text = str | None
Number = int | None
Many = list[str] | None


def evaluate(
    student: Annotated[
        str,
        typer.Argument(
            help="Folder of a run, or a model: embedded, a folder, a Hub id.",
            show_default=False,
        ),
    ],
    source: Annotated[
        Text,
        typer.Option(
            help="A known dataset, a file, a build or ORG/NAME@TAG. Default for a run: "
            "the build it was trained on.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Split of the source: dev, test.")
    ] = "test",
    config_name: Annotated[Text, config_name_option(rich_help_panel=QUESTIONS)] = None,
    map: Annotated[
        Many,
        typer.Option(
            metavar="NAME=INPUT",
            help="question=asr asks with the input asr in place of the question's text; "
            "asr= leaves it out. Repeatable.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    variant: Annotated[
        Text,
        typer.Option(
            help="For a bare model: the variant whose prompt and label format to use "
            "(runs carry their own).",
            rich_help_panel=MODEL,
        ),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(
            help="For a bare model: YAML file with a custom variant.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    revision: Annotated[
        Text,
        typer.Option(help="Branch, tag or commit of a Hub id.", rich_help_panel=MODEL),
    ] = None,
    limit: Annotated[
        Number,
        typer.Option(
            min=1,
            metavar="N",
            help="Evaluate only the first N questions.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    base: Annotated[
        Text,
        typer.Option(
            help="For a run that was trained from a folder: that folder, to evaluate "
            "the untrained model."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the results. Default for a run: RUN/evaluations/…"
        ),
    ] = None,
    teacher_chains: Annotated[
        bool,
        typer.Option(
            "--teacher-chains",
            help="For a run that reasons before the label: give it the teacher's "
            "rationales of questions that it was not trained on.",
        ),
    ] = False,
    rationales_from: Annotated[
        Path | None,
        typer.Option(
            "--rationales-from",
            metavar="RUN",
            help="For a run that reads a rationale before its label: give it those of the "
            "student of this run, or of an evaluation's folder.",
        ),
    ] = None,
    batch_tokens: Annotated[
        int, typer.Option(min=1, help="Maximum tokens in memory at once.")
    ] = 8192,
    precision: Annotated[
        Precision,
        typer.Option(
            help="Precision of the student, and of the untrained model beside it. "
            "bfloat16 is faster on a GPU, or a CPU with AMX or AVX512-BF16."
        ),
    ] = Precision.FLOAT32,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Measure and print the cost; write nothing."),
    ] = False,
    server: Annotated[Text, server_option()] = None,
    detach: Annotated[bool, detach_option()] = False,
) -> None:
    """Compare a student with its untrained base model and the majority baseline.

    Re-run to resume.
    """
    with errors(resume=True, kept="every finished question is kept"):
        from cotbuild.builder.cli.args import columns

        if server is not None:
            from cotbuild.builder.cli.remote_requests import evaluate_request

            make_request = partial(
                evaluate_request,
                student=student,
                out=out,
                source=source,
                spec=spec,
                rationales_from=rationales_from,
                mapping=columns(map or [], allow_none=True) or {},
                split=split,
                config_name=config_name,
                variant=variant,
                revision=revision,
                limit=limit,
                base=base,
                teacher_rationales=teacher_chains,
                batch_tokens=batch_tokens,
                precision=precision.value,
            )
            run_on_server(server, make_request, detach=detach, dry_run=dry_run)
            return
        from cotbuild.builder.evaluation.models import student_packages

        with student_packages():
            from cotbuild.builder.evaluation.run import (
                EvaluationOptions,
                prepare_evaluation,
                run_evaluation,
            )
        from cotbuild.builder.evaluation.table import evaluation_lines

        options = EvaluationOptions(
            mapping=columns(map or [], allow_none=True) or {},
            source=source,
            split=split,
            config_name=config_name,
            variant=variant,
            spec_file=spec,
            revision=revision,
            limit=limit,
            base=base,
            teacher_rationales=teacher_chains,
            rationales_from=rationales_from,
            may_generate=not dry_run,
            batch_tokens=batch_tokens,
            precision=precision,
        )
        ui = open_ui()
        prepared = prepare_evaluation(student, options, ui)
        if dry_run:
            lines = _cost_lines(prepared)
        else:
            folder = out or prepared.default_folder()
            evaluation = run_evaluation(prepared, folder, ui)
            lines = evaluation_lines(evaluation, folder)
        for line in lines:
            print_line(line)


def _cost_lines(prepared: "PreparedEvaluation") -> Iterator[str]:
    """Yield what `--dry-run` prints."""
    from cotbuild.builder.ui import format_duration, pluralize

    questions = pluralize(len(prepared.task.items), "question")
    cost = prepared.measure_cost()
    measured = pluralize(cost.measured, "question")
    yield f"{questions}, {cost.tokens} tokens read; at most {cost.generated} generated"
    yield f"about {format_duration(cost.seconds)} on this machine (measured on {measured})"
    if prepared.run is None:
        return
    if prepared.has_untrained_results():
        yield "the untrained model was evaluated on them before"
    else:
        yield "the untrained model takes the same again"
