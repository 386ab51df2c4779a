"""What a study can be expected to find, as its dry run says before any time is spent."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cotbuild.builder.study.check_cells import check_cells
from cotbuild.builder.study.components import VarianceComponents, components_of_cells
from cotbuild.builder.study.context import StudyContext
from cotbuild.builder.study.first_study import FIRST_STUDY
from cotbuild.builder.study.folder import CELLS, read_cells, read_registration
from cotbuild.builder.study.measures import make_measure
from cotbuild.builder.study.power import claim_powers, power_lines
from cotbuild.builder.study.search import search_trials
from cotbuild.builder.study.trials import find_trial
from cotbuild.schemas.study.record import Measurement
from cotbuild.schemas.study.version_2 import StudyV2

Runs = Mapping[str, Mapping[int, Measurement]]
"""Variant to seed to answers."""


class _Source(NamedTuple):
    """Variances, and where they are from."""

    components: VarianceComponents
    name: str


def expectation_lines(context: StudyContext, study: StudyV2) -> Iterator[str]:
    """Yield what the registered design can find for each claim.

    The variances are those of the study's own cells if there are enough, else those of
    its trials of hyperparameters, else those of the first study.
    """
    source = _variances(context, study)
    powers = claim_powers(study, len(context.test.questions), source.components)
    yield from power_lines(powers, study, source.name)


def _variances(context: StudyContext, study: StudyV2) -> _Source:
    record = read_registration(context.folder)
    if record is not None:
        check_cells(record, read_cells(context.folder), CELLS)
    test_measure = make_measure(study.metric, context.test.registered)
    finished = _finished_runs(context, study)
    if has_enough(finished):
        components = components_of_cells(test_measure, finished)
        if components.error_VV.any():
            return _Source(components, "its own finished cells")
    dev_measure = make_measure(study.metric, context.dev.registered)
    pilot = _pilot_runs(context, study)
    if has_enough(pilot):
        components = components_of_cells(dev_measure, pilot)
        if components.error_VV.any():
            return _Source(components, "its trials on dev")
    name = "the first study (docs/studies/palm-csqa)"
    if not study.metric.is_accuracy:
        name += f", whose metric is accuracy and not {study.metric.value}"
    return _Source(FIRST_STUDY, name)


def has_enough(runs: Runs) -> bool:
    """Whether there are at least two variants, and each two share two seeds."""
    seeds = [set(of_variant) for of_variant in runs.values()]
    return len(seeds) > 1 and all(
        len(of_a & of_b) > 1
        for number, of_a in enumerate(seeds)
        for of_b in seeds[:number]
    )


def _finished_runs(context: StudyContext, study: StudyV2) -> Runs:
    runs: dict[str, dict[int, Measurement]] = {}
    for key, cell in read_cells(context.folder).items():
        if key.setting == study.main and cell.test is not None:
            runs.setdefault(key.variant, {})[key.seed] = cell.test
    return {variant: seeds for variant, seeds in runs.items() if len(seeds) > 1}


def _pilot_runs(context: StudyContext, study: StudyV2) -> Runs:
    """Return the trials of the chosen hyperparameters; empty before the choice."""
    record = read_registration(context.folder)
    if record is None or record.choice is None:
        return {}
    chosen = record.choice.settings
    runs: dict[str, dict[int, Measurement]] = {}
    for trial in search_trials(study):
        found = find_trial(context, trial) if trial.settings == chosen else None
        if found is not None and found.dev is not None:
            runs.setdefault(trial.key.variant, {})[trial.key.seed] = found.dev
    return runs
