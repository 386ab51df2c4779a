"""What `cotbuild attribute` attributes: the student of a run and the rationales."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cotbuild.builder.cli.reporting import open_ui
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.training import VariantRows
from cotbuild.schemas.variant_rows import TrainingRow, VariantRow

if TYPE_CHECKING:
    from cotbuild.builder.build.build import StoredBuild
    from cotbuild.builder.variants.example import RationaleExample
    from cotbuild.student.attribution.settings import (
        AttributedRow,
        AttributionSettings,
        IntegrationSettings,
    )
    from cotbuild.student.model import Student


class PreparedAttribution(NamedTuple):
    """An attribution with everything loaded and nothing computed."""

    student: "Student"
    settings: "AttributionSettings"
    attributed: Sequence["AttributedRow"]
    too_long: int
    """Rationales left out for the run's max_tokens or the student's context."""
    rows: VariantRows
    """All rows of the variant, in the order of the build."""
    build: "StoredBuild"
    trained_on: Sequence[str]
    """Digests of the questions that the student was trained on."""

    def examples(self) -> Iterator["RationaleExample"]:
        """Return the rationales that are attributed, as scores files look them up."""
        from cotbuild.builder.variants.example import RationaleExample

        for item in self.attributed:
            index = item.row.sample_index
            yield RationaleExample(item.question, index, item.rationale)


def prepare(
    run: Path,
    source: str | None,
    integration: "IntegrationSettings | None",
    limit: int | None,
    hold_out: Path | None = None,
) -> PreparedAttribution:
    """Load the student of a run and the rationales that it attributes.

    `integration` None: words are left out. `hold_out` is a STUDY.yaml whose dev and test
    questions are left out, before the limit. Raises ConfigError and DataError if the run
    cannot be attributed, or its build has changed.
    """
    from cotbuild.builder.evaluation.models import (
        open_build,
        read_run_source,
        student_packages,
    )
    from cotbuild.builder.study.read_rows import leave_out_questions

    with student_packages():
        from cotbuild.student.attribution.attribute import freeze_model
        from cotbuild.student.attribution.settings import (
            check_attributable,
            choose_fitting,
            make_settings,
        )
        from cotbuild.student.model import context_length
        from cotbuild.student.training.examples import choose_rationales
        from cotbuild.student.training.run_dir import load_trained, open_run
    trained = open_run(run)
    check_attributable(trained, str(run))
    ui = open_ui()
    build = open_build(source or read_run_source(run), ui)
    variant_rows = build.variant_rows(trained.config.variant, trained.data.split)
    if variant_rows.config_digest != trained.data.config_digest:
        raise DataError(
            f"{build.folder}: the rows of {variant_rows.spec.name!r} have digest "
            f"{variant_rows.config_digest[:16]!r}, but {run} was trained on rows with digest "
            f"{trained.data.config_digest[:16]!r}. Derive them again as they were, or "
            "pass the right build as --source."
        )
    candidates = (
        variant_rows
        if hold_out is None
        else leave_out_questions(variant_rows, hold_out, ui)
    )
    chosen = [row for rows in choose_rationales(candidates.rows, limit) for row in rows]
    selected = _select_rows(build, variant_rows, chosen)
    student = load_trained(run)
    freeze_model(student)
    settings = make_settings(trained, student, integration)
    attributed = choose_fitting(
        student, trained.layout, selected, trained.config.max_tokens
    )
    if not attributed:
        raise DataError(
            f"{run}: none of {len(selected)} rationales fits into max_tokens "
            f"({trained.config.max_tokens}) and the student's context "
            f"({context_length(student.model)}), so there is nothing to attribute. Pass a "
            "run on shorter rationales."
        )
    return PreparedAttribution(
        student,
        settings,
        attributed,
        len(selected) - len(attributed),
        variant_rows,
        build,
        trained.data.question_digests,
    )


def _select_rows(
    build: "StoredBuild", variant_rows: VariantRows, chosen: Iterable[VariantRow]
) -> list["AttributedRow"]:
    """Return the chosen rows that have a label and a rationale, with the rationale as
    published.
    """
    from cotbuild.builder.build.build import RATIONALES
    from cotbuild.builder.variants.example import RationaleExample, example_columns
    from cotbuild.student.attribution.settings import AttributedRow

    chosen_by_key = {
        (row.question_id, row.sample_index): row
        for row in chosen
        if isinstance(row, TrainingRow)
        and row.label_start is not None
        and row.rationale_start is not None
    }
    attributed = {}
    columns = example_columns(build.manifest.row_version)
    for value in build.read(RATIONALES, variant_rows.split, columns):
        key = value["question_id"], value["sample_index"]
        if key in chosen_by_key:
            example = RationaleExample.from_row(value, f"{build.folder}/{RATIONALES}")
            attributed[key] = AttributedRow(
                chosen_by_key[key], example.question_of_mentions, example.rationale
            )
    if missing := [key for key in chosen_by_key if key not in attributed]:
        raise DataError(
            f"{build.folder}: question {missing[0][0]!r} sample {missing[0][1]} is in "
            f"{variant_rows.spec.name!r} but has no rationale. Run `cotbuild verify "
            f"{build.folder}`."
        )
    return [attributed[key] for key in chosen_by_key]
