"""The optional rules and metrics of a build, opened for use."""

from importlib.metadata import PackageNotFoundError, version

from cotbuild.builder.math_metric import open_math_verify
from cotbuild.schemas.answers.grade import GradingRules
from cotbuild.schemas.answers.prose_scores import prose_scorer
from cotbuild.schemas.grading import GradingConfig

_PACKAGES = {"math_verify": "math-verify"}
"""The package of each metric."""


def installed_metric(config: GradingConfig) -> str | None:
    """Return the package of the metric with its version, such as `math-verify 0.8.0`.

    None if the configuration names no metric, or its package is not installed.
    """
    if config.math_metric is None:
        return None
    package = _PACKAGES[config.math_metric]
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return None


def open_grading(config: GradingConfig) -> GradingRules:
    """Return the rules and metrics that a configuration asks for.

    The scorer of prose imports its packages once a text is scored.

    Raises ConfigError if the package of a metric is not installed.
    """
    metric = None if config.math_metric is None else open_math_verify()
    return GradingRules(config.closing_sentence, metric, prose_scorer())
