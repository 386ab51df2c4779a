"""Find the questions of one split of a source whose text also occurs in others."""

from collections.abc import Iterable

from cotbuild.builder.sources.overlap import Overlap
from cotbuild.builder.sources.source import Source


def find_overlaps(
    source: Source, split: str, eval_splits: Iterable[str]
) -> dict[str, list[str]]:
    """Return the ids of a split's questions whose text is also in each evaluation split.

    All splits are read whole. Raises what `Source.read` raises.
    """
    overlap = Overlap({name: source.read_all(name) for name in eval_splits})
    ids: dict[str, list[str]] = {name: [] for name in eval_splits}
    for question in source.read_all(split):
        for name in overlap.find_splits(question):
            ids[name].append(question.id)
    return ids
