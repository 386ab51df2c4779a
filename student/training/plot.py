"""loss.png: both parts of the loss over the updates."""

from pathlib import Path

from matplotlib.figure import Figure

from cotbuild.schemas.training import UpdateMetrics
from cotbuild.student.training.run_dir import PLOT


def plot_losses(folder: Path, updates: list[UpdateMetrics], title: str) -> None:
    """Draw RUN/loss.png: each update thin, the mean over a twentieth of the run thick."""
    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    steps = [update.step for update in updates]
    parts = {
        "label": [u.label_loss for u in updates],
        "rationale": [u.rationale_loss for u in updates],
    }
    for color, (name, values) in zip(
        ("tab:blue", "tab:orange"), parts.items(), strict=True
    ):
        if any(values):
            axes.plot(steps, values, color=color, linewidth=0.7, alpha=0.35)
            axes.plot(steps, _smooth(values), color=color, linewidth=1.8, label=name)
    axes.set(xlabel="update", ylabel="mean -log p a token, over examples", title=title)
    axes.grid(alpha=0.25)
    if any(any(values) for values in parts.values()):
        axes.legend()
    figure.savefig(folder / PLOT)


def _smooth(values: list[float]) -> list[float]:
    width = max(1, len(values) // 20)
    return [
        sum(values[max(0, i - width + 1) : i + 1])
        / len(values[max(0, i - width + 1) : i + 1])
        for i in range(len(values))
    ]
