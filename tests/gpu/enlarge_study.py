"""Write a study with more rows and seeds: enlarge_study.py STUDY.yaml OUT.yaml

Called by study.sh. The rows end where the build does: a study cannot train on more
rationales than all of its variants share.
"""

import argparse
from pathlib import Path
from typing import Any

import yaml


def main() -> None:
    """Read the arguments, and write the larger study."""
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--rows-factor", type=int, required=True)
    parser.add_argument("--seeds-factor", type=int, required=True)
    parser.add_argument("--bfloat16", action="store_true")
    wanted = parser.parse_args()
    study = yaml.safe_load(wanted.source.read_text())
    if study.get("format_version") != 2:
        raise SystemExit(f"{wanted.source}: expected format_version 2")
    most_rows = count_shared(wanted.source)
    larger = enlarge(study, wanted.rows_factor, wanted.seeds_factor, most_rows)
    if wanted.bfloat16:
        larger = with_bfloat16(larger)
    wanted.target.write_text(
        yaml.safe_dump(larger, sort_keys=False, allow_unicode=True)
    )
    rows = sorted({rows for stage in larger["stages"] for rows in stage["rows"]})
    print(f"rows: {rows}; the variants share {most_rows} rationales")


def count_shared(path: Path) -> int:
    """Return how many rationales the cells of a study can choose from."""
    from cotbuild.builder.cli.reporting import open_ui
    from cotbuild.builder.evaluation.models import open_build
    from cotbuild.builder.study.context import read_questions, text_digests
    from cotbuild.builder.study.folder import read_study
    from cotbuild.builder.study.training_rows import TrainingRows

    study = read_study(path)
    build = open_build(study.source, open_ui())
    held_out = text_digests(*read_questions(study, build))
    return TrainingRows(study, study, build, held_out).num_shared()


def enlarge(
    study: dict[str, Any], rows_factor: int, seeds_factor: int, most_rows: int
) -> dict[str, Any]:
    """Return the study with rows and seeds multiplied, at most `most_rows` rows.

    Seed s becomes `seeds_factor` seeds, so stages that share no seed still share none.
    """
    stages = []
    for stage in study["stages"]:
        seeds = [
            seed * seeds_factor + number
            for seed in stage["seeds"]
            for number in range(seeds_factor)
        ]
        rows = [min(rows * rows_factor, most_rows) for rows in stage["rows"]]
        stages.append({**stage, "seeds": seeds, "rows": list(dict.fromkeys(rows))})
    larger = {**study, "stages": stages}
    if study.get("looks"):
        larger["looks"] = [look * seeds_factor for look in study["looks"]]
    larger["name"] = (
        f"{study['name']}, {rows_factor} times the rows (at most {most_rows}) and "
        f"{seeds_factor} times the seeds"
    )
    return larger


def with_bfloat16(study: dict[str, Any]) -> dict[str, Any]:
    """Return the study in bfloat16, instead of any precision that it names."""
    changed = {
        **study,
        "train": _without_precision(study.get("train", {})),
        "precision": {"training": "bfloat16", "evaluation": "bfloat16"},
    }
    for name in ("hyperparameters", "sensitivity"):
        part = study.get(name)
        if part is None:
            continue
        grid = _without_precision(part["grid"])
        if grid:
            changed[name] = {**part, "grid": grid}
        else:
            del changed[name]
    return changed


def _without_precision(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "precision"}


if __name__ == "__main__":
    main()
