"""Rows of a variant without those of the questions that a study holds out."""

from pathlib import Path

from cotbuild.builder.evaluation.models import open_build
from cotbuild.builder.study.context import read_questions, text_digests
from cotbuild.builder.study.folder import read_study
from cotbuild.builder.study.training_rows import without_questions
from cotbuild.builder.ui import Ui, pluralize
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import VariantRows


def read_training_rows(
    source: str, variant: str, hold_out: Path | None, ui: Ui
) -> VariantRows:
    """Read the rows of a variant of the build or release `source`.

    Those of the dev and test questions of the STUDY.yaml `hold_out` are left out. The
    study's build needs none of its variants yet. Raises ConfigError and DataError.
    """
    rows = open_build(source, ui).variant_rows(variant)
    return rows if hold_out is None else leave_out_questions(rows, hold_out, ui)


def leave_out_questions(rows: VariantRows, path: Path, ui: Ui) -> VariantRows:
    """Leave out the rows of the dev and test questions of the STUDY.yaml at `path`.

    Raises ConfigError and DataError, also if no row is left.
    """
    study = read_study(path)
    splits = read_questions(study, open_build(study.source, ui))
    kept = without_questions(rows, text_digests(*splits))
    num_left_out = len(rows.rows) - len(kept.rows)
    ui.say(f"{pluralize(num_left_out, 'row')} of the questions of {path} left out")
    if not kept.rows:
        raise ConfigError(
            f"--hold-out {path}: all rows are of its dev and test questions, so nothing "
            "is left."
        )
    return kept
