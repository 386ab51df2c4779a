"""A small study that the real commands run in seconds: a tiny student, a build of a
scripted teacher.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.support.commands import invoke, write_questions
from tests.support.tiny import save_tiny

VARIANTS = ("label_only", "post_cot")


def make_study(
    folder: Path,
    values: Callable[[Path, Path], dict[str, Any]] | None = None,
    **fields: Any,
) -> Path:
    """STUDY.yaml on a build whose label is always the same, which any student learns.

    `values` makes it from the build and the student, of version 1 by default; `fields`
    replace its own.
    """
    values = values or study_values
    (folder / "q").mkdir(parents=True)
    write_questions(
        folder / "q" / "train.jsonl",
        [f"Which of these {number} things floats?" for number in range(40)],
    )
    write_questions(
        folder / "q" / "validation.jsonl",
        [f"Which of {number} boats sinks?" for number in range(24)],
    )
    build = folder / "b"
    invoke(
        "generate",
        "--source",
        folder / "q",
        "--teacher",
        "scripted",
        "--eval-splits",
        "dev",
        "--out",
        build,
    )
    invoke("variants", build, "--only", ",".join(VARIANTS))
    path = folder / "s" / "STUDY.yaml"
    path.parent.mkdir()
    path.write_text(
        yaml.safe_dump({**values(build, save_tiny(folder / "student")), **fields})
    )
    return path


def tiered_values(build: Path, student: Path) -> dict[str, Any]:
    """A study of version 2: two looks, at two seeds and at three, each with own rows."""
    first = study_values(build, student)
    held_out = {"split": "train", "unseen": True}
    helps = {"name": "helps", "says": "It helps.", "claim": "beats"}
    stage = {**first["stages"][0], "name": "all", "seeds": [0, 1, 2]}
    return {
        "format_version": 2,
        "name": "floats",
        "source": str(build),
        "dev": {**held_out, "count": 6},
        "test": {**held_out, "count": 8},
        "secondary_metrics": ["target_probability"],
        "rows_per_seed": "own",
        "looks": [2, 3],
        "hoped": {"post_cot": 3.0},
        "hyperparameters": {
            "grid": {"lr": [1e-7, 0.01]},
            "variants": list(VARIANTS),
            "seeds": [0, 1],
        },
        "tiers": [
            {
                "name": "first",
                "claims": [{**helps, "a": "post_cot", "b": "label_only"}],
            }
        ],
        "sensitivity": {"grid": {"lr": [0.02]}, "variants": ["post_cot"]},
        "train": {"epochs": 2.0, "batch_rows": 4},
        "stages": [stage],
    }


def study_values(build: Path, student: Path) -> dict[str, Any]:
    """Two stages, two seeds each."""
    stage = {"variants": list(VARIANTS), "rows": [8], "students": [str(student)]}
    return {
        "format_version": 1,
        "name": "floats",
        "source": str(build),
        "dev": {"split": "dev", "first": 10},
        "test": {"split": "dev", "skip": 10},
        "comparisons": [
            {
                "name": "helps",
                "says": "It helps.",
                "a": "post_cot",
                "b": "label_only",
                "claim": "beats",
            }
        ],
        "train": {"epochs": 2.0, "lr": 0.01, "batch_rows": 4},
        "stages": [
            {"name": "one", "seeds": [0, 1], **stage},
            {"name": "two", "seeds": [2], **stage},
        ],
    }
