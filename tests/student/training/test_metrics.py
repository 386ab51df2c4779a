"""The summary and the plot of a run's updates."""

from pathlib import Path

import pytest

from cotbuild.schemas.training import UpdateMetrics
from cotbuild.student.training.metrics import plot_losses, summarize_metrics


def update(step: int, loss: float, tokens: int = 10) -> UpdateMetrics:
    return UpdateMetrics(
        step=step,
        steps=20,
        epoch=1.0,
        loss=loss,
        label_loss=loss,
        rationale_loss=0.0,
        lr=1e-4,
        grad_norm=1.0,
        tokens=tokens,
        seconds=1.0,
        tokens_per_s=10.0,
    )


@pytest.mark.parametrize(
    ("updates", "loss"),
    [
        ([update(n, float(n)) for n in range(1, 21)], 19.5),
        ([update(1, 4.0), update(2, 0.0, tokens=0)], 4.0),
        ([update(n, 2.0) for n in range(9)] + [update(9, 0.0, tokens=0)], 2.0),
        ([update(1, 0.0, tokens=0), update(2, 6.0)], 6.0),
    ],
)
def test_losses_are_means_over_updates_with_rows(
    updates: list[UpdateMetrics], loss: float, tmp_path: Path
) -> None:
    summary = summarize_metrics(updates)
    assert (summary["loss"], summary["label_loss"]) == (loss, loss)
    assert summary["updates"] == len(updates)
    assert summary["tokens"] == sum(one.tokens for one in updates)
    plot_losses(tmp_path, updates, "a run")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
