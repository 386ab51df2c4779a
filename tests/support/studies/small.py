"""A small study that the real commands run in seconds: a tiny student, a build of a
scripted teacher.
"""

from pathlib import Path
from typing import Any

import yaml

from tests.support.commands import cotbuild, write_questions
from tests.support.tiny import save_tiny

VARIANTS = ("label_only", "post_cot")


def make_study(folder: Path, **fields: Any) -> Path:
    """STUDY.yaml on a build whose label is always the same, which any student learns;
    `fields` replace its own.
    """
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
    cotbuild(
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
    cotbuild("variants", build, "--only", ",".join(VARIANTS))
    path = folder / "s" / "STUDY.yaml"
    path.parent.mkdir()
    path.write_text(
        yaml.safe_dump({**study_values(build, save_tiny(folder / "student")), **fields})
    )
    return path


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
