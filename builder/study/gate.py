"""The gate: whether a study can say anything, decided on dev before any test question
is asked. Pure.
"""

from collections.abc import Sequence

import numpy as np

from cotbuild.builder.study.statistics import compare
from cotbuild.schemas.study.declaration import Study
from cotbuild.schemas.study.record import GateResult, Measurement


def gate_result(
    study: Study, trained: Sequence[Measurement], untrained: Measurement
) -> GateResult:
    """The gate's variant, a run a seed, against the untrained student; of one seed the
    spread of runs is not known.
    """
    a_SQ = np.array([one.answers.correct_by(study.metric) for one in trained])
    b_Q = np.array(untrained.answers.correct_by(study.metric))
    difference_Q = a_SQ.mean(0) - b_Q
    if len(a_SQ) > 1:
        found = compare(a_SQ, np.tile(b_Q, (len(a_SQ), 1)), paired=True)
        error = found.standard_error
    else:
        error = 100 * float(difference_Q.std(ddof=1)) / len(b_Q) ** 0.5
    difference = 100 * float(difference_Q.mean())
    needed = study.gate.standard_errors
    return GateResult(
        passed=difference > 0 and difference >= needed * error,
        trained=tuple(100 * float(row.mean()) for row in a_SQ),
        untrained=100 * float(b_Q.mean()),
        difference=difference,
        standard_error=error,
        needed=needed,
    )
