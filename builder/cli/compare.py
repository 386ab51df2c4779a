"""`cotbuild compare`: one trained student against another, on the same questions."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import examples
from cotbuild.builder.console import print_line
from cotbuild.schemas.errors import ConfigError

if TYPE_CHECKING:
    from cotbuild.builder.compare.answers import StudentAnswers
    from cotbuild.builder.compare.compare import ChangedQuestion

EXAMPLES = examples(
    "cotbuild compare runs/post_cot runs/label_only",
    "cotbuild compare runs/post_cot/evaluations/csqa-dev results/base --changed 30",
    "cotbuild compare samples_arc_easy_one.jsonl samples_arc_easy_two.jsonl --out all.csv",
)
ENDINGS = (".jsonl", ".csv")


def compare(
    a: Annotated[
        Path,
        typer.Argument(
            help="A run, an evaluation, a parquet file of results, or a file "
            "samples_*.jsonl of lm-evaluation-harness.",
            show_default=False,
        ),
    ],
    b: Annotated[
        Path,
        typer.Argument(help="Another one.", show_default=False),
    ],
    metric: Annotated[
        str | None,
        typer.Option(
            help="Metric by which changed questions are listed. Default: the first of "
            "the table.",
            show_default=False,
        ),
    ] = None,
    changed: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Changed questions to show."),
    ] = 10,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write all changed questions with both answers to FILE: .jsonl or .csv.",
        ),
    ] = None,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            help="Compare on the questions that both answered, where they differ.",
        ),
    ] = False,
    by_order: Annotated[
        bool,
        typer.Option(
            "--by-order",
            help="Match the questions by their order, where they have no ids in common.",
        ),
    ] = False,
    filter_name: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="NAME",
            help="Of lm-evaluation-harness: read one filter of the task, such as "
            "strict-match; its number from 1 where no row names it, before 0.4.7.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Compare two trained students: paired difference, interval, McNemar's test.

    Both must have answered the same questions. One run each says nothing of the recipes
    they were trained by; `cotbuild study` compares those over several seeds.
    """
    with errors():
        from cotbuild.builder.compare.compare import (
            choose_metric,
            compare_students,
            find_changes,
        )
        from cotbuild.builder.compare.match import match_questions
        from cotbuild.builder.compare.read import read_student
        from cotbuild.builder.compare.table import (
            StudentComparison,
            changed_lines,
            comparison_lines,
        )

        if out is not None:
            _check_out(out)
        answers_a = read_student(a, filter_name)
        answers_b = read_student(b, filter_name)
        if filter_name is not None:
            _check_has_filters(answers_a, answers_b)
        matched = match_questions(answers_a, answers_b, by_order=by_order)
        if not shared:
            matched.check_same()
        by_metric = compare_students(answers_a, answers_b, matched)
        listed = choose_metric(by_metric, metric)
        changes = list(find_changes(matched, listed))
        if out is not None:
            _write_changes(out, listed, changes)
        found = StudentComparison(answers_a, answers_b, matched, by_metric)
        for line in comparison_lines(found):
            print_line(line)
        for line in changed_lines(listed, changes, changed):
            print_line(line)
        if out is not None:
            print_line(f"{out}: {len(changes)} changed questions")


def _check_out(out: Path) -> None:
    """Raise ConfigError unless a table can be written there without replacing a file."""
    if out.suffix not in ENDINGS:
        raise ConfigError(
            f"--out {out}: the name must end in {' or '.join(ENDINGS)}, which decides the "
            "format."
        )
    if out.exists():
        raise ConfigError(f"--out {out}: exists. Pass another file, or delete it.")


def _check_has_filters(*both: "StudentAnswers") -> None:
    from cotbuild.builder.compare.answers import Writer

    if all(one.writer is not Writer.LM_EVAL for one in both):
        raise ConfigError(
            "--filter is for samples of lm-evaluation-harness, and neither side has them. "
            "Leave it out."
        )


def _write_changes(
    out: Path, metric: str, changes: "Sequence[ChangedQuestion]"
) -> None:
    from cotbuild.builder.compare.table import changes_csv, changes_jsonl
    from cotbuild.schemas.files import write_error, write_text_atomic

    make_text = changes_csv if out.suffix == ".csv" else changes_jsonl
    try:
        write_text_atomic(out, make_text(metric, changes))
    except OSError as error:
        raise write_error(out, error) from error
