"""`cotbuild train`: a student on a variant.

One of the places where builder and student meet.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import StudentRun, TrainConfig

if TYPE_CHECKING:
    from cotbuild.student.training.train import TrainingCost

DEFAULT = TrainConfig(variant="post_cot")
"""Its values are named in the help."""

Text = str | None
Number = int | None
Real = float | None


def train(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder of a build, or a release: ORG/NAME@TAG.", show_default=False
        ),
    ],
    variant: Annotated[
        str, typer.Option(help="The variant to train on, such as post_cot.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; not needed with --dry-run.")
    ] = None,
    student: Annotated[
        Text, typer.Option(help="embedded (default), a folder, a Hub id.")
    ] = None,
    revision: Annotated[
        Text, typer.Option(help="Branch, tag or commit of a Hub id.")
    ] = None,
    seed: Annotated[
        Number,
        typer.Option(help="Order of the rows, dropout, LoRA's first weights (0)."),
    ] = None,
    rows: Annotated[
        Number,
        typer.Option(help="Only so many rationales, the same for every variant."),
    ] = None,
    epochs: Annotated[
        Real, typer.Option(help=f"Passes over the rows ({DEFAULT.epochs:g}).")
    ] = None,
    lr: Annotated[
        Real, typer.Option(help="Peak learning rate (5e-5; with --lora 2e-4).")
    ] = None,
    batch_rows: Annotated[
        Number, typer.Option(help=f"Rationales an update ({DEFAULT.batch_rows}).")
    ] = None,
    batch_tokens: Annotated[
        Number, typer.Option(help=f"Most tokens run at once ({DEFAULT.batch_tokens}).")
    ] = None,
    loss: Annotated[
        Text,
        typer.Option(
            help="parts (default): label's mean + W × rationale's; plain: mean over all tokens."
        ),
    ] = None,
    rationale_weight: Annotated[
        Real, typer.Option(metavar="W", help="With loss parts (1).")
    ] = None,
    lora: Annotated[
        Number, typer.Option(metavar="RANK", help="Train LoRA's matrices alone.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Train all weights (default).")
    ] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Any other, as warmup_frac=0.1."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say what it takes, measured here; write nothing."
        ),
    ] = False,
) -> None:
    """Train a student on a variant.

    Run it again to go on; `accelerate launch` it for many GPUs.
    """
    flags: dict[str, object] = {
        "variant": variant,
        "student": student,
        "revision": revision,
        "seed": seed,
        "rows": rows,
    }
    flags |= {
        "epochs": epochs,
        "lr": lr,
        "batch_rows": batch_rows,
        "batch_tokens": batch_tokens,
        "loss": loss,
    }
    flags |= {"rationale_weight": rationale_weight, "lora_rank": lora}
    with errors(resume=True, kept="the last checkpoint is kept"):
        from cotbuild.builder.cli.args import filled

        if full and lora is not None:
            raise ConfigError(f"--full and --lora {lora}: Expected one of the two.")
        config = filled(TrainConfig, {}, flags, setting or [], "settings")
        if dry_run:
            lines = _measured(config, source)
        elif out is None:
            raise ConfigError(
                "no --out. Expected a folder for the run, such as --out runs/post_cot; or --dry-run."
            )
        else:
            lines = closing_lines(_trained(config, source, out), out)
        for line in lines:
            print(line)


def _trained(config: TrainConfig, source: str, out: Path) -> StudentRun:
    from cotbuild.builder.evaluation.models import (
        alone_in,
        find_model,
        is_main_process,
        open_build,
        remember_source,
        student_packages,
        told_of,
    )
    from cotbuild.builder.terminal import Terminal
    from cotbuild.builder.ui import TrainingRate

    with student_packages():
        from cotbuild.student.training.train import BaseStudent, train_student
    terminal, started = Terminal(), TrainingRate()
    variant_rows = open_build(source, terminal).variant_rows(config.variant)
    model = find_model(config.student, config.revision, terminal.say)
    with alone_in(out), terminal.lines() as show:
        run = train_student(
            told_of(config),
            variant_rows,
            BaseStudent(*model),
            out,
            lambda update: show(started.line(update)) if is_main_process() else None,
        )
    if is_main_process():
        remember_source(out, source)
    return run


def _measured(config: TrainConfig, source: str) -> list[str]:
    from cotbuild.builder.evaluation.models import (
        find_model,
        open_build,
        student_packages,
        told_of,
    )
    from cotbuild.builder.terminal import Terminal

    with student_packages():
        from cotbuild.student.training.train import BaseStudent, estimate_training_cost
    terminal = Terminal()
    variant_rows = open_build(source, terminal).variant_rows(config.variant)
    model = find_model(config.student, config.revision, terminal.say)
    return cost_lines(
        estimate_training_cost(told_of(config), variant_rows, BaseStudent(*model))
    )


def cost_lines(cost: "TrainingCost") -> list[str]:
    """What `--dry-run` prints."""
    from cotbuild.builder.ui import format_duration, pluralize

    left_out = (
        f", {cost.too_long} longer than max_tokens left out" if cost.too_long else ""
    )
    padding = 1 - cost.tokens / cost.padded_tokens
    measured = (
        f"{pluralize(cost.measured, 'update')} on its own rows, behind one to warm up"
    )
    return [
        f"{pluralize(cost.rows, 'row')}{left_out}; {pluralize(cost.updates, 'update')}",
        f"{cost.tokens} tokens over all passes, {padding:.1%} more for padding",
        f"about {format_duration(cost.seconds)} on this machine, {cost.tokens / cost.seconds:.0f} tok/s (measured: {measured})",
    ]


def closing_lines(run: StudentRun, out: Path) -> list[str]:
    """What the command ends with: what it trained on, where it is, its last losses, the
    next command.
    """
    from cotbuild.builder.ui import pluralize
    from cotbuild.student.training.run_dir import run_identity

    data, result = run.data, run.result
    left_out = f", {data.too_long} too long" if data.too_long else ""
    rows = f"{pluralize(data.num_rows, 'row')}{left_out}, {result['updates']} updates, {result['tokens']} tokens"
    losses = (
        f"label {result['label_loss']:.4f}, rationale {result['rationale_loss']:.4f}"
    )
    evaluated = "label" in run.layout.order
    after = (
        f"next: cotbuild evaluate {out}"
        if evaluated
        else "it says no label, so that there is nothing to evaluate"
    )
    return [
        f"{data.spec.ref}: {rows}, {result['seconds']} s",
        f"loss {result['loss']:.4f} ({losses}), means over the last tenth",
        f"{out}  fingerprint {run_identity(run).partition(':')[2][:16]}",
        after,
    ]
