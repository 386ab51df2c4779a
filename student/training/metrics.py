"""metrics.jsonl and loss.png of a training run: a line per update, and their plot."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import (
    append_json_line,
    read_json_lines,
    write_error,
    write_text_atomic,
)
from cotbuild.schemas.record import explain_validation_error
from cotbuild.schemas.training import UpdateMetrics

_UPDATE = TypeAdapter(UpdateMetrics)
METRICS, PLOT = "metrics.jsonl", "loss.png"


def read_metrics(folder: Path, upto: int | None = None) -> list[UpdateMetrics]:
    """Read the updates of a run so far, in order; with `upto` only up to this step.

    Raises DataError if a line other than a torn last one is damaged.
    """
    remedy = "Delete the run's folder and train again."
    path = folder / METRICS
    lines = read_json_lines(path, remedy=remedy, allow_nan=True)
    try:
        updates = [_UPDATE.validate_python(value) for value in lines.values]
    except ValidationError as error:
        raise DataError(
            f"{path}: {explain_validation_error(error)} {remedy}"
        ) from error
    return [update for update in updates if upto is None or update.step <= upto]


def write_metrics(folder: Path, updates: list[UpdateMetrics]) -> None:
    """Write metrics.jsonl with the updates up to the checkpoint to resume from.

    Those after it are run again. Raises StoreError.
    """
    path = folder / METRICS
    text = "".join(f"{_metrics_line(update)}\n" for update in updates)
    try:
        write_text_atomic(path, text)
    except OSError as error:
        raise write_error(path, error) from error


def append_metrics(folder: Path, update: UpdateMetrics) -> None:
    """Append a line to metrics.jsonl. Raises StoreError."""
    append_json_line(folder / METRICS, _metrics_line(update), fsync=False)


def _metrics_line(update: UpdateMetrics) -> str:
    return json.dumps(update._asdict())


def summarize_metrics(updates: list[UpdateMetrics]) -> dict[str, Any]:
    """Summarize a run: totals, and mean losses over the last tenth of its updates.

    Updates all of whose rows were too long have no loss and are left out of the means.
    """
    trained = _with_rows(updates)
    last = trained[-max(1, len(trained) // 10) :]
    seconds = sum(update.seconds for update in updates)
    return {
        "updates": len(updates),
        "tokens": sum(update.tokens for update in updates),
        "label_tokens": sum(update.label_tokens for update in updates),
        "rationale_tokens": sum(update.rationale_tokens for update in updates),
        "seconds": round(seconds, 2),
        "loss": sum(update.loss for update in last) / len(last),
        "label_loss": sum(update.label_loss for update in last) / len(last),
        "rationale_loss": sum(update.rationale_loss for update in last) / len(last),
    }


def plot_losses(folder: Path, updates: list[UpdateMetrics], title: str) -> None:
    """Draw both parts of the loss over the updates to loss.png.

    A thin line has every update with rows, a thick one the mean over a twentieth of
    the run.
    """
    from matplotlib.figure import Figure  # slow to import

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    updates = _with_rows(updates)
    steps = [update.step for update in updates]
    parts = (
        ("label", "tab:blue", [update.label_loss for update in updates]),
        ("rationale", "tab:orange", [update.rationale_loss for update in updates]),
    )
    for name, color, losses in parts:
        if any(losses):
            axes.plot(steps, losses, color=color, linewidth=0.7, alpha=0.35)
            smooth = _moving_mean(losses, max(1, len(losses) // 20))
            axes.plot(steps, smooth, color=color, linewidth=1.8, label=name)
    axes.set(xlabel="update", ylabel="mean -log p per token", title=title)
    axes.grid(alpha=0.25)
    if axes.lines:
        axes.legend()
    figure.savefig(folder / PLOT)


def _with_rows(updates: list[UpdateMetrics]) -> list[UpdateMetrics]:
    return [update for update in updates if update.tokens]


def _moving_mean(values: list[float], width: int) -> list[float]:
    """Return the mean of each value and those before it, `width` of them at most."""
    means = []
    for stop in range(1, len(values) + 1):
        window = values[max(0, stop - width) : stop]
        means.append(sum(window) / len(window))
    return means
