"""ALMA's human-written parallel data (Xu et al., 2024): sentences in two languages.

A row names no direction, so the config does: de-en is from German into English. Other
data sets of translations, such as WMT's on the Hub, have rows of the same shape.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from cotbuild.builder.sources.base import (
    BadRow,
    BadRowReason,
    KnownDataset,
    PublishedFolder,
    Row,
)
from cotbuild.builder.sources.files import FileRows, read_head
from cotbuild.builder.sources.languages import find_direction
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.builder.sources.translation import INPUT_NAMES, make_translation
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.record import short_repr

_FILE = re.compile(r"(train|valid)\.([a-z]{2})-([a-z]{2})\.json")
_LANGUAGE = re.compile(r"[a-z]{2,3}([-_]\w+)?")


def matches(row: Row) -> bool:
    """Return whether a file's first row has the published shape, also the Hub's."""
    pair = row.get("translation")
    if row.keys() != {"translation"} or not isinstance(pair, Mapping):
        return False
    return len(pair) == 2 and all(_LANGUAGE.fullmatch(str(code)) for code in pair)


def config_names(first: Row) -> tuple[str, ...]:
    """Return the directions in which the rows of a file can be read."""
    one, other = first["translation"]
    return f"{one}-{other}", f"{other}-{one}"


def to_question(row: Row, ref: SourceRef) -> Question:
    """Return the question of a row; its direction is the config. Raises BadRow.

    {"translation": {"de": "Der Tee ist nass.", "en": "The tea is wet."}}
    """
    pair = row.get("translation")
    if not isinstance(pair, Mapping) or len(pair) != 2:
        raise BadRow(
            BadRowReason.MISSING_FIELD,
            f"translation is {short_repr(pair)}. Expected a text in each of two languages.",
        )
    direction = find_direction(ref.config_name, list(pair))
    if direction is None:
        raise BadRow(
            BadRowReason.MISSING_FIELD,
            f"translation has the languages {short_repr(list(pair))}, and the direction "
            f"is {ref.config_name}.",
        )
    source, target = direction
    return make_translation(None, pair[source], pair[target], direction, ref)


def open_folder(folder: Path, config_name: str | None) -> PublishedFolder | None:
    """Return the files of one pair of languages, None if there are none.

    They are train.de-en.json and valid.de-en.json, of which one may be missing. Raises
    ConfigError if the folder has no such direction.
    """
    found = [(path, _FILE.fullmatch(path.name)) for path in sorted(folder.iterdir())]
    files = {match.groups(): path for path, match in found if match is not None}
    if not files or '"translation"' not in read_head(next(iter(files.values()))):
        return None
    pairs = dict.fromkeys((one, other) for _, one, other in files)
    wanted = _choose_pair(config_name, list(pairs), folder.resolve().name)
    splits = {
        canonical_split(split): path
        for (split, *pair), path in files.items()
        if tuple(pair) == wanted
    }
    return PublishedFolder(tuple(splits), lambda split: FileRows(splits[split]))


def _choose_pair(
    config_name: str | None, pairs: list[tuple[str, str]], location: str
) -> tuple[str, str]:
    """Return the languages of the files that a direction names; raises ConfigError."""
    for pair in pairs:
        if find_direction(config_name, pair) is not None:
            return pair
    names = [f"{one}-{other}" for one, other in pairs]
    given = "" if config_name is None else f", not {config_name!r}"
    raise ConfigError(
        f"{location}: its files are {', '.join(names)}{given}. Pass --config-name "
        f"{names[0]}, or another or its reverse."
    )


KNOWN = KnownDataset(
    name="alma",
    hub_id=None,
    config_name=None,
    revision=None,
    splits=("train", "validation"),
    licence="MIT",
    kind=QuestionKind.PROSE,
    matches=matches,
    to_question=to_question,
    id_column=None,
    input_names=INPUT_NAMES,
    published_at="https://github.com/fe1ixxu/ALMA, human_written_data",
    config_names=config_names,
    open_folder=open_folder,
)
