"""`cotbuild attribute`: scores of a rationale's tokens.

One of the places where builder and student meet.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import examples
from cotbuild.builder.console import print_line
from cotbuild.builder.visible import shell_join
from cotbuild.schemas.attribution import ScoresInfo
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.training import VariantRows
from cotbuild.schemas.variant_rows import (
    TrainingRow,
    VariantRow,
)
from cotbuild.schemas.variant_set import (
    VariantSet,
)

if TYPE_CHECKING:
    from cotbuild.builder.build.build import StoredBuild
    from cotbuild.student.attribution.attribute import (
        AttributedRow,
        AttributionJob,
        AttributionSettings,
    )
    from cotbuild.student.model import Student

EXAMPLES = examples(
    "cotbuild attribute runs/pre_cot --limit 200 --dry-run",
    "cotbuild attribute runs/pre_cot",
)
SCORES, FOLDER = "scores.parquet", "attribution"
BATCH_TOKENS = 1024


def attribute(
    run: Annotated[
        Path,
        typer.Argument(
            help="Folder of a run that reads the rationale first.", show_default=False
        ),
    ],
    source: Annotated[
        str | None,
        typer.Option(help="Build it was trained on; the default is where it was then."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the path integral.")] = 16,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Attribute at most N rationales, as --rows of train."),
    ] = None,
    batch_tokens: Annotated[
        int, typer.Option(min=1, help="Maximum tokens in memory at once.")
    ] = BATCH_TOKENS,
    out: Annotated[
        Path | None,
        typer.Option(help=f"Scores file; the default is {SCORES} in the run."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Estimate the time on this machine; write nothing."
        ),
    ] = False,
) -> None:
    """Attribute a student's label to the tokens of its rationale.

    Integrated Gradients (arXiv 1703.01365) on a student that writes the rationale
    first. Run the same command again to resume.
    """
    with errors(resume=True, kept="every rationale attributed so far is kept"):
        prepared = _prepare(run, source, steps, limit)
        if dry_run:
            from cotbuild.student.attribution.attribute import measure_tokens_per_s

            rate = measure_tokens_per_s(prepared.student, prepared.jobs, batch_tokens)
            lines = cost_lines(prepared, rate)
        else:
            path = out or run / SCORES
            info = _attribute(prepared, run, path, batch_tokens)
            lines = closing_lines(prepared, info, path)
        for line in lines:
            print_line(line)


class PreparedAttribution(NamedTuple):
    """An attribution with everything loaded and nothing computed."""

    student: "Student"
    settings: "AttributionSettings"
    jobs: Sequence["AttributionJob"]
    too_long: int
    """Rationales left out for the student's max_tokens."""
    rows: VariantRows
    """All rows of the variant, in the order of the build."""
    build: "StoredBuild"


def _prepare(
    run: Path, source: str | None, steps: int, limit: int | None
) -> PreparedAttribution:
    from cotbuild.builder.evaluation.models import (
        open_build,
        read_run_source,
        student_packages,
    )
    from cotbuild.builder.terminal import Terminal

    with student_packages():
        from cotbuild.student.attribution.attribute import (
            check_attributable,
            make_jobs,
            make_settings,
        )
        from cotbuild.student.training.examples import choose_rationales
        from cotbuild.student.training.run_dir import load_trained, open_run
    trained = open_run(run)
    check_attributable(trained, str(run))
    build = open_build(source or read_run_source(run), Terminal())
    variant_rows = build.variant_rows(trained.config.variant, trained.data.split)
    if variant_rows.config_digest != trained.data.config_digest:
        raise DataError(
            f"{build.folder}: the rows of {variant_rows.spec.name!r} have digest "
            f"{variant_rows.config_digest[:16]!r}, but {run} was trained on rows with digest "
            f"{trained.data.config_digest[:16]!r}. Derive them again as they were, or "
            "pass the right build as --source."
        )
    chosen = [
        row for rows in choose_rationales(variant_rows.rows, limit) for row in rows
    ]
    attributed = _select_rows(build, variant_rows, chosen)
    student = load_trained(run)
    settings = make_settings(trained, student, steps)
    jobs = make_jobs(student, settings, attributed, trained.config.max_tokens)
    if not jobs:
        raise DataError(
            f"{run}: none of {len(attributed)} rationales fits into max_tokens, so there is "
            "nothing to attribute."
        )
    return PreparedAttribution(
        student, settings, jobs, len(attributed) - len(jobs), variant_rows, build
    )


def _select_rows(
    build: "StoredBuild", variant_rows: VariantRows, chosen: Iterable[VariantRow]
) -> list["AttributedRow"]:
    """Return the chosen rows that have a label and a rationale, with the rationale as
    published.
    """
    from cotbuild.builder.build.build import RATIONALES
    from cotbuild.builder.variants.example import RationaleExample, example_columns
    from cotbuild.student.attribution.attribute import AttributedRow

    chosen_by_key = {
        (row.question_id, row.sample_index): row
        for row in chosen
        if isinstance(row, TrainingRow)
        and row.label_start is not None
        and row.rationale_start is not None
    }
    attributed = {}
    columns = example_columns(build.manifest.row_version)
    for value in build.read(RATIONALES, variant_rows.split, columns):
        key = value["question_id"], value["sample_index"]
        if key in chosen_by_key:
            example = RationaleExample.from_row(value, f"{build.folder}/{RATIONALES}")
            attributed[key] = AttributedRow(
                chosen_by_key[key], example.question_of_mentions, example.rationale
            )
    if missing := [key for key in chosen_by_key if key not in attributed]:
        raise DataError(
            f"{build.folder}: question {missing[0][0]!r} sample {missing[0][1]} is in "
            f"{variant_rows.spec.name!r} but has no rationale. Run `cotbuild verify "
            f"{build.folder}`."
        )
    return [attributed[key] for key in chosen_by_key]


def _attribute(
    prepared: PreparedAttribution, run: Path, path: Path, batch_tokens: int
) -> ScoresInfo:
    from cotbuild.builder.terminal import Terminal
    from cotbuild.builder.variants.scores import write_scores
    from cotbuild.student.attribution.attribute import (
        AttributionLog,
        attribute_rationales,
        summarize_scores,
    )

    with (
        AttributionLog(run / FOLDER / f"{prepared.settings.key[:16]}.jsonl") as log,
        Terminal().counting("tokens") as progress,
    ):
        finished = attribute_rationales(
            prepared.student, prepared.jobs, log, batch_tokens, progress
        )
    info = summarize_scores(prepared.settings, finished)
    place = {
        (row.question_id, row.sample_index): number
        for number, row in enumerate(prepared.rows.rows)
    }
    write_scores(
        path,
        info,
        [row.scored for row in sorted(finished, key=lambda row: place[row.key])],
    )
    return info


def cost_lines(prepared: PreparedAttribution, tokens_per_s: float) -> list[str]:
    """Return what `--dry-run` prints."""
    from cotbuild.builder.ui import format_duration, pluralize
    from cotbuild.student.attribution.attribute import (
        COMPARED_FACTOR,
        MEASURED_RATIONALES,
    )

    jobs, steps = prepared.jobs, prepared.settings.steps
    each = sum(job.case.step_tokens for job in jobs) / len(jobs)
    compared = sum(len(job.steps) > 1 for job in jobs)
    tokens = sum(job.tokens for job in jobs)
    rationales = f"{pluralize(len(jobs), 'rationale')}{_left_out(prepared)}"
    duration = format_duration(tokens / tokens_per_s)
    return [
        f"{rationales}: {steps} steps of {each:.0f} tokens; {compared} of them again "
        f"with {steps * COMPARED_FACTOR} steps, to compare",
        f"{tokens} tokens",
        f"about {duration} on this machine, {tokens_per_s:.0f} tok/s (measured on at most "
        f"{MEASURED_RATIONALES} rationales after a warm-up)",
    ]


def closing_lines(
    prepared: PreparedAttribution, info: ScoresInfo, path: Path
) -> list[str]:
    """Return the last lines: counts, quality, file and the next command."""
    from cotbuild.builder.ui import pluralize

    jobs, rows = prepared.jobs, prepared.rows
    rationales = f"{pluralize(len(jobs), 'rationale')}{_left_out(prepared)}"
    lines = [f"{rationales}; {info.steps} steps, baseline {info.baseline}"]
    if info.completeness_median is not None and info.completeness_p95 is not None:
        lines.append(
            "completeness error, as a share of what f changes: "
            f"median {info.completeness_median:.1%}, "
            f"95th percentile {info.completeness_p95:.1%}"
        )
    if info.rank_correlation is not None:
        mean = f"mean over {pluralize(info.num_compared or 0, 'rationale')}"
        lines.append(
            f"rank correlation with {info.compared_steps} steps: "
            f"{info.rank_correlation:.3f}, {mean}"
        )
    if without := len(rows.rows) - len(jobs):
        lines.append(
            f"{pluralize(without, 'row')} of {rows.spec.name} without scores: every "
            "aligned variant drops them"
        )
    made = prepared.build.manifest.variants
    assert made is not None  # the run was trained on one of them
    words = [
        "cotbuild",
        "variants",
        str(prepared.build.folder),
        "--only",
        f"{rows.spec.name},key_tokens",
    ]
    return [
        *lines,
        str(path),
        f"next: {shell_join([*words, *_variant_options(made.made), '--file', f'scores={path}'])}",
    ]


def _variant_options(made: VariantSet) -> list[str]:
    """Return the options of `cotbuild variants` that give the same selection and seed."""
    flags = ["--seed", str(made.seed)] if made.seed else []
    for name, value in made.selection.model_dump(
        mode="json", exclude_defaults=True
    ).items():
        flags += [
            "--filter",
            f"{name}={','.join(value) if isinstance(value, list) else value}",
        ]
    return flags


def _left_out(prepared: PreparedAttribution) -> str:
    return f" ({prepared.too_long} too long left out)" if prepared.too_long else ""
