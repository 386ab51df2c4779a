"""STUDY.yaml of format version 1: comparisons of two variants, corrected together.

Studies that were registered in it are run and judged as before; new ones are written in
version 2.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.study.declaration import (
    CellKey,
    PlannedComparison,
    Study,
    StudyMetric,
    StudyQuestions,
    StudyStage,
    check_settings,
    check_stages,
    check_unique,
)


class StudyV1(Study):
    """The content of STUDY.yaml, format version 1."""

    format_version: Literal[1] = Field(default=1, description="Format version.")
    dev: StudyQuestions = Field(description="Dev questions, for the gate and the grid.")
    test: StudyQuestions = Field(
        description="Test questions, used once per cell for the results."
    )
    margin: float = Field(
        default=2.0,
        gt=0,
        description="Difference up to which two recipes count as equally good, points.",
    )
    paired: bool = Field(
        default=False,
        description="Whether to pair runs with the same seed.",
    )
    comparisons: tuple[PlannedComparison, ...] = Field(
        min_length=1, description="Planned comparisons."
    )
    grid: dict[str, tuple[JsonValue, ...]] = Field(
        default={},
        description="Setting to the values that every variant tries on dev, with the first seed.",
    )

    @property
    def search_grid(self) -> Mapping[str, tuple[JsonValue, ...]]:
        """The values that every variant tries on dev, by the name of the setting."""
        return self.grid

    @property
    def num_planned(self) -> int:
        """The number of planned comparisons."""
        return len(self.comparisons)

    def cells(self, stage: StudyStage) -> Iterator[CellKey]:
        """Return the cells of a stage in the order in which they run.

        The gate's variant comes first, then seed by seed, so that a part of the stage
        can be compared already.
        """
        cells = super().cells(stage)
        return iter(sorted(cells, key=lambda cell: cell.variant != self.gate.variant))

    @model_validator(mode="after")
    def _check_study(self) -> Self:
        if self.metric is StudyMetric.TARGET_PROBABILITY:
            raise ValueError(
                "metric is 'target_probability', expected an accuracy, a macro-F1 or a "
                "score of prose: it is a secondary metric of format version 2"
            )
        check_unique("comparisons", [claim.name for claim in self.comparisons])
        check_settings(self.train, self.grid)
        self._check_comparisons()
        check_stages(self)
        return self

    def _check_comparisons(self) -> None:
        """Check that the stages train every compared variant in the main setting."""
        main = self.main
        trained = {cell.variant for cell in self.all_cells() if cell.setting == main}
        for comparison in self.comparisons:
            missing = sorted({comparison.a, comparison.b} - trained)
            if missing:
                raise ValueError(
                    f"comparison {comparison.name!r} needs {missing}, which no stage trains "
                    f"with {main.student}, {main.rows} rows and loss {main.loss.value}, "
                    "expected one that does"
                )


def need_version_1(study: Study) -> StudyV1:
    """Return a study of version 1; raises ConfigError for another version."""
    if not isinstance(study, StudyV1):
        raise ConfigError(
            f"{study.name}: a study of format version {study.format_version}, and what "
            "was called is for version 1. Read its report/results.json."
        )
    return study
