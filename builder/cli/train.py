"""`cotbuild train`: a student on a variant.

One of the places where builder and student meet.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import STUDENT, TRAINING, examples
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
from cotbuild.schemas.training import RowsInfo, StudentRun, TrainConfig

if TYPE_CHECKING:
    from cotbuild.student.training.train import TrainingCost

DEFAULT = TrainConfig(variant="post_cot")
"""Its values are named in the help."""

EXAMPLES = examples(
    "cotbuild train builds/mine --variant post_cot --out runs/post_cot",
    "cotbuild train alice/mine@v1.0.0 --variant post_cot --lora 16 \\",
    "    --student HuggingFaceTB/SmolLM2-135M --out runs/post_cot",
)

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
        str, typer.Option(help="Variant to train on, such as post_cot.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; not needed with --dry-run.")
    ] = None,
    student: Annotated[
        Text,
        typer.Option(
            help="embedded (default), a folder or a Hub id.", rich_help_panel=STUDENT
        ),
    ] = None,
    revision: Annotated[
        Text,
        typer.Option(
            help="Branch, tag or commit of a Hub id.", rich_help_panel=STUDENT
        ),
    ] = None,
    seed: Annotated[
        Number,
        typer.Option(
            help="Seed of row order, dropout and LoRA weights (0).",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    rows: Annotated[
        Number,
        typer.Option(
            help="Use at most N rationales, the same ones for every variant.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    hold_out: Annotated[
        Path | None,
        typer.Option(
            metavar="STUDY.yaml",
            help="Leave out the dev and test questions of a study.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    epochs: Annotated[
        Real,
        typer.Option(
            help=f"Passes over the rows ({DEFAULT.epochs:g}).", rich_help_panel=TRAINING
        ),
    ] = None,
    lr: Annotated[
        Real,
        typer.Option(
            help="Peak learning rate (5e-5; with --lora 2e-4).",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    batch_rows: Annotated[
        Number,
        typer.Option(
            help=f"Rationales per update ({DEFAULT.batch_rows}).",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    batch_tokens: Annotated[
        Number,
        typer.Option(
            help=f"Maximum tokens in memory at once ({DEFAULT.batch_tokens}).",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    loss: Annotated[
        Text,
        typer.Option(
            help="parts (default): mean over the label + W × mean over the rationale; "
            "plain: mean over all tokens.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    rationale_weight: Annotated[
        Real,
        typer.Option(
            metavar="W",
            help="Weight of the rationale, with loss parts (1).",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    lora: Annotated[
        Number,
        typer.Option(
            metavar="RANK",
            help="Train LoRA adapters of this rank.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Train all weights (default).", rich_help_panel=TRAINING
        ),
    ] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other setting, such as warmup_frac=0.1.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Estimate the time on this machine; write nothing."
        ),
    ] = False,
    server: Annotated[Text, server_option()] = None,
    detach: Annotated[bool, detach_option()] = False,
) -> None:
    """Fine-tune a student on a variant.

    Run the same command again to resume. Use `accelerate launch` for several GPUs.
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
    can_resume = partial(_has_checkpoint, out)
    with errors(can_resume, kept="the last checkpoint is kept"):
        from cotbuild.builder.api import train_on_build
        from cotbuild.builder.cli.args import filled

        if full and lora is not None:
            raise ConfigError(f"--full and --lora {lora}: pass only one of them.")
        config = filled(TrainConfig, {}, flags, setting or [], "settings")
        if server is not None:
            from cotbuild.builder.cli.remote_requests import train_request

            refuse_beside_server({"--hold-out": hold_out})
            make_request = partial(train_request, config=config, build=source, out=out)
            run_on_server(server, make_request, detach=detach, dry_run=dry_run)
            return
        if dry_run:
            lines = _measured(config, source, hold_out)
        elif out is None:
            raise ConfigError(
                "no --out. Pass a folder for the run, such as --out runs/post_cot, or "
                "--dry-run."
            )
        else:
            run = train_on_build(config, source, out, open_ui(), hold_out=hold_out)
            lines = closing_lines(run, out)
        for line in lines:
            print_line(line)


def _has_checkpoint(out: Path | None) -> bool:
    from cotbuild.student.training.run_dir import find_last_checkpoint

    return out is not None and find_last_checkpoint(out) is not None


def _measured(config: TrainConfig, source: str, hold_out: Path | None) -> list[str]:
    from cotbuild.builder.evaluation.models import (
        find_model,
        portable_config,
        student_packages,
    )

    with student_packages():
        from cotbuild.student.training.train import BaseStudent, estimate_training_cost
    from cotbuild.builder.study.read_rows import read_training_rows

    ui = open_ui()
    variant_rows = read_training_rows(source, config.variant, hold_out, ui)
    model = find_model(config.student, config.revision, ui.say)
    return cost_lines(
        estimate_training_cost(
            portable_config(config), variant_rows, BaseStudent(*model)
        )
    )


def cost_lines(cost: "TrainingCost") -> list[str]:
    """Return what `--dry-run` prints."""
    from cotbuild.builder.ui import format_duration, pluralize

    left_out = (
        f", {cost.too_long} longer than max_tokens left out" if cost.too_long else ""
    )
    padding = 1 - cost.tokens / cost.padded_tokens
    measured = f"{pluralize(cost.measured, 'update')} on its own rows, after a warm-up"
    rate = cost.tokens / cost.seconds
    return [
        f"{pluralize(cost.rows, 'row')}{left_out}; {pluralize(cost.updates, 'update')}",
        f"{cost.tokens} tokens over all passes, {padding:.1%} more for padding",
        f"about {format_duration(cost.seconds)} on this machine, {rate:.0f} tok/s "
        f"(measured: {measured})",
    ]


def closing_lines(run: StudentRun, out: Path) -> list[str]:
    """Return the last lines: rows, losses, folder and the next command."""
    from cotbuild.builder.ui import pluralize
    from cotbuild.student.training.run_dir import run_identity

    data, result = run.data, run.result
    left_out = f", {data.too_long} too long" if data.too_long else ""
    rows = f"{pluralize(data.num_rows, 'row')}{left_out}"
    work = f"{result['updates']} updates, {result['tokens']} tokens"
    losses = (
        f"label {result['label_loss']:.4f}, rationale {result['rationale_loss']:.4f}"
    )
    after = f"next: cotbuild evaluate {shell_quote(out)}"
    if data.spec.evaluated.gives_rationale:
        after += " --rationales-from RUN (of rationale_only, which writes rationales)"
    return [
        f"{data.spec.ref}: {rows}, {work}, {result['seconds']} s",
        *_length_lines(data),
        f"loss {result['loss']:.4f} ({losses}), means over the last tenth",
        f"{out}  fingerprint {run_identity(run).partition(':')[2][:16]}",
        after,
    ]


def _length_lines(data: RowsInfo) -> list[str]:
    """Return a line about the tokens of label and rationale, if there are both."""
    if data.label_tokens is None or data.rationale_tokens is None:
        return []
    lengths = {"label": data.label_tokens, "rationale": data.rationale_tokens}
    parts = [
        f"{name} {tokens.mean:.1f} (99 % at most {tokens.p99})"
        for name, tokens in lengths.items()
    ]
    return [f"tokens of a row: {', '.join(parts)}"]
