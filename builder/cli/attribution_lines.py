"""What `cotbuild attribute` prints."""

from pathlib import Path

from cotbuild.builder.attribution_bounds import (
    LOOSE_BOUNDS,
    describe_limits,
    format_error,
)
from cotbuild.builder.cli.attribution_files import agreement_table
from cotbuild.builder.cli.attribution_inputs import PreparedAttribution
from cotbuild.builder.visible import shell_join
from cotbuild.schemas.attribution import Refusal, ScoresInfo
from cotbuild.schemas.files import write_text_atomic
from cotbuild.schemas.variant_set import VariantSet


def cost_lines(
    prepared: PreparedAttribution, seconds_each: float, num_processes: int
) -> list[str]:
    """Return what `--dry-run` prints.

    `seconds_each` is what a rationale takes in one of the processes.
    """
    from cotbuild.builder.ui import format_duration, pluralize
    from cotbuild.student.attribution.attribute import MEASURED_RATIONALES

    num_rationales = len(prepared.attributed)
    duration = format_duration(num_rationales * seconds_each / num_processes)
    shared = f" in each of {num_processes} processes" if num_processes > 1 else ""
    return [
        f"{pluralize(num_rationales, 'rationale')}{_left_out(prepared)} by "
        f"{prepared.settings.method.value}",
        f"about {duration} on this machine, {seconds_each:.2f} s a rationale{shared} "
        f"(measured on at least {MEASURED_RATIONALES} of middling length, after a warm-up)",
    ]


def closing_lines(
    prepared: PreparedAttribution,
    info: ScoresInfo,
    path: Path,
    agreement: Path | None,
) -> list[str]:
    """Return the last lines: counts, quality, file and the next command."""
    from cotbuild.builder.ui import pluralize

    rows = prepared.rows
    num_rationales = len(prepared.attributed)
    lines = [
        f"{pluralize(num_rationales, 'rationale')}{_left_out(prepared)} by {info.method}"
    ]
    lines += _convergence_lines(info)
    num_scored = num_rationales - info.num_refused
    if without := len(rows.rows) - num_scored:
        lines.append(
            f"{pluralize(without, 'row')} of {rows.spec.name} without scores: every "
            "aligned variant drops them"
        )
    if agreement is not None:
        lines += _agreement_lines(prepared, path, agreement)
    lines.append(str(path))
    if not num_scored:
        return lines
    variants = prepared.build.manifest.variants
    assert variants is not None  # the run was trained on one of them
    words = [
        "cotbuild",
        "variants",
        str(prepared.build.folder),
        "--only",
        f"{rows.spec.name},key_tokens",
    ]
    words += [*_variant_options(variants.made), "--file", f"scores={path}"]
    return [*lines, f"next: {shell_join(words)}"]


def _convergence_lines(info: ScoresInfo) -> list[str]:
    """Return how far Integrated Gradients converged; nothing for other methods."""
    bounds = info.bounds
    if bounds is None:
        return []
    reached = ", ".join(
        f"{count} at {steps}" for steps, count in info.steps_reached.items()
    )
    lines = [
        f"baseline {info.baseline}; {describe_limits(bounds)}",
        f"steps where doubling ended: {reached}",
    ]
    if info.completeness_median is not None and info.completeness_p95 is not None:
        lines.append(
            "completeness error, as a share of what f changes: "
            f"median {format_error(info.completeness_median)}, "
            f"95th percentile {format_error(info.completeness_p95)}"
        )
    if bounds.is_loose:
        lines.append(f"WARNING: {LOOSE_BOUNDS}")
    last_steps = bounds.last_steps(info.steps or 1)
    num_shared = info.refused.get(Refusal.TOKENS, 0)
    num_unconverged = info.num_refused - num_shared
    refused = ", ".join(
        f"{count} {name}"
        for name, count in info.refused.items()
        if name is not Refusal.TOKENS
    )
    lines.append(
        f"{num_unconverged} refused, not converged by {last_steps} steps"
        + (f" ({refused})" if refused else "")
    )
    if num_shared:
        lines.append(
            f"{num_shared} refused, none of whose tokens is the rationale's alone"
        )
    return lines


def _agreement_lines(
    prepared: PreparedAttribution, path: Path, other: Path
) -> list[str]:
    """Compare two scores files, write a line a rationale, and return the summary."""
    from cotbuild.builder.compare.agreement import (
        agreement_csv,
        compare_scores,
        summarize_agreement,
    )

    compared = compare_scores(path, other, prepared.examples())
    table = agreement_table(path)
    write_text_atomic(table, agreement_csv(compared.rows, str(other)))
    return [
        *summarize_agreement(compared, str(other)),
        f"each rationale: {table}",
    ]


def _variant_options(variants: VariantSet) -> list[str]:
    """Return the options of `cotbuild variants` that give the same selection and seed."""
    flags = ["--seed", str(variants.seed)] if variants.seed else []
    for name, value in variants.selection.model_dump(
        mode="json", exclude_defaults=True
    ).items():
        flags += [
            "--filter",
            f"{name}={','.join(value) if isinstance(value, list) else value}",
        ]
    return flags


def _left_out(prepared: PreparedAttribution) -> str:
    return f" ({prepared.too_long} too long left out)" if prepared.too_long else ""
