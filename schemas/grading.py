"""The settings of grading: rules and metrics that a build has to ask for."""

from typing import Literal

from pydantic import Field

from cotbuild.schemas.record import Record


class GradingConfig(Record):
    """Which optional rules and metrics decide the answers and verdicts of a build.

    With the defaults an answer is read from formal statements alone, and compared as
    `schemas.answers.compare` describes.
    """

    closing_sentence: bool = Field(
        default=False,
        description="Also read the answer to a number question from a last sentence such "
        "as `So there are 49 chairs.`, where nothing states it formally.",
    )
    math_metric: Literal["math_verify"] | None = Field(
        default=None,
        description="Metric that decides whether an answer equals the target where the "
        "plain comparison does not find them equal; None for the plain comparison alone.",
    )


DEFAULT_GRADING = GradingConfig()
