"""The datasets that are known by name."""

from cotbuild.builder.sources.base import Row
from cotbuild.builder.sources.datasets import (
    arc,
    commonsense_qa,
    gsm8k,
    openbookqa,
    quarel,
    strategyqa,
    svamp,
)
from cotbuild.builder.sources.known import KnownDataset
from cotbuild.schemas.config import SourceConfig

KNOWN: dict[str, KnownDataset] = {
    known.name: known
    for known in (
        commonsense_qa.KNOWN,
        openbookqa.KNOWN,
        quarel.KNOWN,
        arc.CHALLENGE,
        arc.EASY,
        strategyqa.KNOWN,
        gsm8k.KNOWN,
        svamp.KNOWN,
    )
}


def known_shape(first: Row, config: SourceConfig) -> KnownDataset | None:
    """The dataset whose published shape a file's first row has; None too where the user
    mapped columns or a kind.
    """
    found = next((known for known in KNOWN.values() if known.matches(first)), None)
    if found is None or config.columns or config.kind not in (None, found.kind):
        return None
    return found
