"""The optional rules and metrics of a build, opened for use."""

from cotbuild.schemas.answers.grade import GradingRules
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.grading import GradingConfig


def open_grading(config: GradingConfig) -> GradingRules:
    """Return the rules and metrics that a configuration asks for.

    Raises ConfigError if the package of a metric is not installed.
    """
    if config.math_metric is not None:
        raise ConfigError(
            f"grading.math_metric {config.math_metric!r} is not installed."
        )
    return GradingRules(closing_sentence=config.closing_sentence)
