"""Do the statistics of a study of format version 1 hold? Simulated studies in which the truth is known, put
through `compare`.

    PYTHONPATH=tests/.ns python -m tests.bench.study_simulation_v1 [--studies 2000] [--questions 500]     # from the root

The world is that of tests/support/simulated_studies.py: `run share` of the variance
between runs moves all questions together, `own` is the share of difficulty's variance
that is a recipe's own, r is how alike paired runs are.

Columns, percent of the studies. With no true effect, how often 95 % tests reject:
- reject: `compare`;
- boot: the percentile bootstrap that draws seeds and questions (Owen 2007); boot-1: the same, one seed fewer drawn;
- pooled: McNemar's test over all seeds together; any-seed: at least one of McNemar's tests, one a seed.

With 5 points: power; cover, the 95 % intervals that hold the 5. Found equivalent within
2 points: false-eq, where the true difference is 2; true-eq, where it is 0. smallest:
points, the mean of the differences said to be shown with power 80 %; at-it: the power
really had there.
"""

import argparse
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cotbuild.builder.study.statistics import MARGIN
from tests.support.simulated_studies import (
    compare_all,
    covers,
    draw,
    found_equivalent,
    mcnemar_rejects,
    percentile_rejects,
    rejects,
    world,
)

EFFECT = 0.05  # of which the power is measured
ROW = "{:>8.1f}{:>7.1f}{:>8.1f}{:>8.1f}{:>10.1f} |{:>7.1f}{:>8.1f}{:>10.1f}{:>9.1f} |{:>10.1f}{:>7.1f}"


class Setting(NamedTuple):
    """One row of the table."""

    seeds: int
    paired: bool
    run_correlation: float
    run_share: float
    own: float


def settings(shares: list[float]) -> Iterator[Setting]:
    """All rows: paired, paired with runs alike, unpaired."""
    for seeds in (3, 5):
        for paired, correlation in ((True, 0.0), (True, 0.5), (False, 0.0)):
            for share in shares:
                if (
                    correlation == 0 or share > 0
                ):  # without a common part there is nothing to be alike
                    for own in (0.0, 0.15):
                        yield Setting(seeds, paired, correlation, share, own)


def measure(
    setting: Setting, questions: int, studies: int, rng: np.random.Generator
) -> list[float]:
    """The columns: shares, but for the smallest difference."""
    here = world(questions, setting.run_share, setting.own, setting.run_correlation)
    null = draw(here, rng, studies, setting.seeds, 0)
    no_effect = compare_all(*null, setting.paired)
    effect = compare_all(
        *draw(here, rng, studies, setting.seeds, EFFECT), setting.paired
    )
    at_margin = compare_all(
        *draw(here, rng, studies, setting.seeds, MARGIN / 100), setting.paired
    )
    smallest = float(np.mean([one.smallest_difference for one in effect]))
    at_smallest = compare_all(
        *draw(here, rng, studies, setting.seeds, smallest / 100), setting.paired
    )
    return [
        rejects(no_effect),
        percentile_rejects(*null, setting.paired, rng),
        percentile_rejects(*null, setting.paired, rng, fewer=1),
        *mcnemar_rejects(*null),
        rejects(effect),
        covers(effect, 100 * EFFECT),
        found_equivalent(at_margin),
        found_equivalent(no_effect),
        smallest / 100,
        rejects(at_smallest),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--run-shares", type=float, nargs="+", default=[0.0, 0.4, 0.8])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng, started = np.random.default_rng(args.seed), time.monotonic()
    errors = [100 * (p * (1 - p) / args.studies) ** 0.5 for p in (0.05, 0.5)]
    print(
        f"{args.studies} studies a number, {args.questions} questions; Monte-Carlo standard error "
        f"{errors[0]:.1f} points at 5 %, {errors[1]:.1f} at 50 %"
    )
    print(f"{'seeds':<6}{'runs':<13}{'run share':>9}{'own':>6} |", end="")
    print(
        "  reject   boot  boot-1  pooled  any-seed |  power   cover  false-eq  true-eq |  smallest  at-it"
    )
    for one in settings(args.run_shares):
        found = [
            100 * value for value in measure(one, args.questions, args.studies, rng)
        ]
        runs = f"paired r={one.run_correlation}" if one.paired else "unpaired"
        print(f"{one.seeds:<6}{runs:<13}{one.run_share:>9}{one.own:>6} |", end="")
        print(
            "{:>8.1f}{:>7.1f}{:>8.1f}{:>8.1f}{:>10.1f} |{:>7.1f}{:>8.1f}{:>10.1f}{:>9.1f} |{:>10.1f}{:>7.1f}".format(
                *found
            ),
            flush=True,
        )
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
