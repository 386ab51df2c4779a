"""The kind of processor that a seed of version 2 is run on.

Kinds of processors round differently, and a difference between two variants of a seed
must not come from that. So the first trial or cell of a seed decides, and study.json
records it; machines of other kinds leave the seed alone.
"""

from collections.abc import Iterable
from pathlib import Path

from cotbuild.builder.study.folder import need_registration, update_registration
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.study.declaration import Study
from cotbuild.schemas.study.record import SeedProcessor, StudyRegistration
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.student.precision import processor_kind, runs_at_speed


def belongs_here(folder: Path, seed: int, registered: StudyV2) -> bool:
    """Whether a seed is run on this kind of processor.

    One that nobody has begun is recorded as begun here. Raises ConfigError if the study
    goes by another declaration than `registered`.
    """
    here = SeedProcessor(seed=seed, processor=processor_kind())
    record = update_registration(folder, lambda old: _with_seed(old, here), registered)
    return here in record.seed_processors


def seeds_of_others(folder: Path, seeds: Iterable[int]) -> list[int]:
    """Return those of the seeds that another kind of processor has begun."""
    here = processor_kind()
    begun = need_registration(folder).seed_processors
    others = {one.seed for one in begun if one.processor != here}
    return sorted(others & set(seeds))


def left_line(folder: Path, seeds: Iterable[int]) -> str | None:
    """Return a line on seeds that are left to other kinds of processors, if any are."""
    others = seeds_of_others(folder, seeds)
    if not others:
        return None
    begun = need_registration(folder).seed_processors
    kinds = sorted({one.processor for one in begun if one.seed in others})
    return (
        f"seeds {others} were begun on {' and '.join(kinds)}, and their other cells are "
        f"left to such machines; this one is {processor_kind()}"
    )


def lacking_units(study: Study) -> str | None:
    """Return a line if this machine lacks units for the registered precision."""
    if not isinstance(study, StudyV2) or study.precision is None:
        return None
    registered = {
        "training": study.precision.training,
        "evaluation": study.precision.evaluation,
    }
    lacking = [
        f"{what} in {precision.value}"
        for what, precision in registered.items()
        if not runs_at_speed(precision)
    ]
    if not lacking:
        return None
    return (
        f"the study registers {' and '.join(lacking)}, for which this machine, "
        f"{processor_kind()}, has no units, so no cell is run here"
    )


def need_units(study: Study) -> None:
    """Raise ConfigError if this machine lacks units for the registered precision."""
    line = lacking_units(study)
    if line is not None:
        raise ConfigError(
            f"precision: {line}. Run it on a CPU with AVX-512 BF16 or AMX, or on a GPU."
        )


def _with_seed(record: StudyRegistration, here: SeedProcessor) -> StudyRegistration:
    if any(one.seed == here.seed for one in record.seed_processors):
        return record
    update = {"seed_processors": (*record.seed_processors, here)}
    return record.model_copy(update=update)
