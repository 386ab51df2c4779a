"""`cotbuild attribute`: scores of a rationale's tokens.

One of the places where builder and student meet.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotbuild.builder.cli.attribution_files import check_agreement, check_out
from cotbuild.builder.cli.attribution_inputs import PreparedAttribution, prepare
from cotbuild.builder.cli.attribution_lines import closing_lines, cost_lines
from cotbuild.builder.cli.attribution_processes import (
    measure_cost,
    open_scoring_of_all,
)
from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import examples
from cotbuild.builder.cli.remote import (
    detach_option,
    refuse_beside_server,
    run_on_server,
    server_option,
)
from cotbuild.builder.cli.reporting import open_ui
from cotbuild.builder.console import print_line
from cotbuild.schemas.attribution import (
    DEFAULT_BOUNDS,
    AttributionMethod,
    ScoresInfo,
)
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.event import Phase

if TYPE_CHECKING:
    from cotbuild.student.attribution.settings import IntegrationSettings

EXAMPLES = examples(
    "cotbuild attribute runs/pre_cot --method leave-one-word-out --dry-run",
    "cotbuild attribute runs/pre_cot --method leave-one-word-out",
    "cotbuild attribute runs/pre_cot --limit 50 --out gradients.parquet "
    "--agreement runs/pre_cot/scores.parquet",
)
SCORES, FOLDER = "scores.parquet", "attribution"
STEPS, MAX_STEPS = 16, DEFAULT_BOUNDS.max_steps
MAX_ERROR = DEFAULT_BOUNDS.max_completeness_error
MIN_RANK_CORRELATION = DEFAULT_BOUNDS.min_rank_correlation


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
    method: Annotated[
        AttributionMethod,
        typer.Option(
            help="Scores of tokens by the path integral of the gradient, or of words by "
            "leaving each out."
        ),
    ] = AttributionMethod.INTEGRATED_GRADIENTS,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help=f"Steps of the path integral tried first ({STEPS})."),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            min=2,
            help=f"Steps double up to this number ({MAX_STEPS}); a rationale that has "
            "not converged by then is refused.",
        ),
    ] = None,
    max_error: Annotated[
        float | None,
        typer.Option(
            help="Largest completeness error, as a share of what the scores add up to "
            f"({MAX_ERROR})."
        ),
    ] = None,
    min_rank_correlation: Annotated[
        float | None,
        typer.Option(
            min=-1,
            max=1,
            help="Smallest rank correlation with the scores of half the steps "
            f"({MIN_RANK_CORRELATION}).",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Attribute at most N rationales, as --rows of train."),
    ] = None,
    hold_out: Annotated[
        Path | None,
        typer.Option(
            metavar="STUDY.yaml",
            help="Leave out the dev and test questions of a study, as for train.",
        ),
    ] = None,
    batch_tokens: Annotated[
        int | None,
        typer.Option(
            min=1, help="Maximum tokens in memory at once; the method has a default."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help=f"Scores file; the default is {SCORES} in the run."),
    ] = None,
    agreement: Annotated[
        Path | None,
        typer.Option(
            metavar="SCORES",
            help="Scores file of another method: report how far the two agree.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Estimate the time on this machine; write nothing."
        ),
    ] = False,
    server: Annotated[str | None, server_option()] = None,
    detach: Annotated[bool, detach_option()] = False,
) -> None:
    """Attribute a student's label to the tokens or words of its rationale.

    Integrated Gradients (arXiv 1703.01365), or leave one word out (arXiv 1612.08220), on
    a student that writes the rationale first. Run the same command again to resume.
    """
    with errors(resume=True, kept="every rationale attributed so far is kept"):
        bounds = {
            "steps": steps,
            "max_steps": max_steps,
            "max_error": max_error,
            "min_rank_correlation": min_rank_correlation,
        }
        _refuse_bounds_of_words(method, bounds)
        if server is not None:
            from cotbuild.builder.cli.remote_requests import attribute_request

            refuse_beside_server(
                {"--out": out, "--agreement": agreement, "--hold-out": hold_out}
            )
            make_request = partial(
                attribute_request,
                run=run,
                source=source,
                method=method,
                bounds=bounds,
                limit=limit,
                batch_tokens=batch_tokens,
            )
            run_on_server(server, make_request, detach=detach, dry_run=dry_run)
            return
        path = out or run / SCORES
        integration = _integration(method, bounds)
        prepared = prepare(run, source, integration, limit, hold_out)
        check_out(path, prepared.settings, len(prepared.attributed))
        if agreement is not None:
            check_agreement(agreement, path, prepared.examples())
        if dry_run:
            lines = cost_lines(prepared, *measure_cost(prepared, batch_tokens))
        else:
            info = _attribute(prepared, run, batch_tokens, path)
            lines = closing_lines(prepared, info, path, agreement)
        for line in lines:
            print_line(line)


def _refuse_bounds_of_words(
    method: AttributionMethod, bounds: Mapping[str, float | None]
) -> None:
    """Raise ConfigError for bounds beside a method that has nothing to converge."""
    if method is AttributionMethod.INTEGRATED_GRADIENTS:
        return
    for name, value in bounds.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(
                f"{option} {value} is for integrated-gradients, and {method.value} has "
                "nothing to converge. Leave it out."
            )


def _integration(
    method: AttributionMethod, bounds: Mapping[str, float | None]
) -> "IntegrationSettings | None":
    """Return the settings of Integrated Gradients, or None for the other method."""
    if method is not AttributionMethod.INTEGRATED_GRADIENTS:
        return None
    from cotbuild.builder.evaluation.models import student_packages

    with student_packages():
        from cotbuild.student.attribution.settings import IntegrationSettings
    given = {name: value for name, value in bounds.items() if value is not None}
    defaults: dict[str, float] = {
        "steps": STEPS,
        "max_steps": MAX_STEPS,
        "max_error": MAX_ERROR,
        "min_rank_correlation": MIN_RANK_CORRELATION,
    }
    values = defaults | given
    return IntegrationSettings.parse(
        {
            "steps": values["steps"],
            "bounds": {
                "max_steps": values["max_steps"],
                "max_completeness_error": values["max_error"],
                "min_rank_correlation": values["min_rank_correlation"],
            },
        },
        "cotbuild attribute",
        ConfigError,
    )


def _attribute(
    prepared: PreparedAttribution, run: Path, batch_tokens: int | None, path: Path
) -> ScoresInfo:
    from cotbuild.builder.variants.scores import write_scores
    from cotbuild.student.attribution.attribute import (
        attribute_rationales,
        summarize_scores,
    )
    from cotbuild.student.attribution.log import AttributionLog

    ui = open_ui()
    ui.phase(Phase.ATTRIBUTING)
    log_path = run / FOLDER / f"{prepared.settings.key[:16]}.jsonl"
    with AttributionLog(log_path) as log:
        with (
            ui.counting("rationales") as progress,
            open_scoring_of_all(prepared, run, batch_tokens) as score,
        ):
            attribute_rationales(score, prepared.attributed, log, progress)
        attributed = {item.key for item in prepared.attributed}
        keys = [
            (row.question_id, row.sample_index)
            for row in prepared.rows.rows
            if (row.question_id, row.sample_index) in attributed
        ]
        info = summarize_scores(
            prepared.settings, map(log.read, keys), prepared.trained_on
        )
        write_scores(path, info, map(log.read, keys))
    return info
