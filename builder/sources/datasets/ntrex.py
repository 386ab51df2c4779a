"""NTREX-128 (Federmann et al., 2022): news translated by people into 128 languages.

It is published as text files of 1,997 lines, line n of each being the same sentence,
and a file with the document of each line. The config names the direction: eng-deu is
from English into German. The texts are those of WMT's test set of 2019.
"""

from collections.abc import Iterator
from pathlib import Path

from cotbuild.builder.sources.base import BadRow, KnownDataset, PublishedFolder, Row
from cotbuild.builder.sources.files import ParallelRows
from cotbuild.builder.sources.languages import find_direction
from cotbuild.builder.sources.make import clean_field
from cotbuild.builder.sources.translation import INPUT_NAMES, make_translation
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import Question, QuestionKind, SourceRef, Tag

_DOCUMENTS = "DOCUMENT_IDS.tsv"
_PREFIXES = ("newstest2019-src.", "newstest2019-ref.")
_COLUMNS = {"document", "source", "target", "source_lang", "target_lang"}


def matches(row: Row) -> bool:
    """Return whether a row has the shape that `open_folder` gives the lines."""
    return row.keys() == _COLUMNS


def to_question(row: Row, ref: SourceRef) -> Question:
    """Return the question of a row; raises BadRow.

    {"document": "bbc.381790", "source": "Tea is wet.", "target": "Tee ist nass.",
    "source_lang": "eng", "target_lang": "deu"}
    """
    direction = str(row.get("source_lang")), str(row.get("target_lang"))
    document = Tag(name="document", value=clean_field(row.get("document"), "document"))
    return make_translation(
        None, row.get("source"), row.get("target"), direction, ref, [document]
    )


class _Lines(ParallelRows):
    """The lines of two languages and of the documents, as rows."""

    def __init__(self, files: dict[str, Path], direction: tuple[str, str]) -> None:
        super().__init__(files)
        self._languages = dict(
            zip(("source_lang", "target_lang"), direction, strict=True)
        )

    def __iter__(self) -> Iterator[Row | BadRow]:
        for row in super().__iter__():
            yield row if isinstance(row, BadRow) else {**row, **self._languages}


def open_folder(folder: Path, config_name: str | None) -> PublishedFolder | None:
    """Return the lines of one direction, None if the folder has no such files.

    The file of documents is there or in the folder above, as it is published. Raises
    ConfigError if the folder has no such direction.
    """
    files = _language_files(folder)
    places = [folder / _DOCUMENTS, folder.resolve().parent / _DOCUMENTS]
    documents = next((path for path in places if path.is_file()), None)
    if len(files) < 2 or documents is None:
        return None
    direction = _parse_direction(config_name, list(files), folder.resolve().name)
    source, target = direction
    parts = {"document": documents, "source": files[source], "target": files[target]}
    return PublishedFolder(("test",), lambda _: _Lines(parts, direction))


def _parse_direction(
    name: str | None, languages: list[str], location: str
) -> tuple[str, str]:
    """Return the codes of both languages of a direction; raises ConfigError."""
    direction = find_direction(name, languages)
    if direction is not None:
        return direction
    given = "no direction is named" if name is None else f"no direction {name!r}"
    raise ConfigError(
        f"{location}: {given}. Pass --config-name SOURCE-TARGET, such as "
        f"{languages[0]}-{languages[1]}, with two of {', '.join(languages)}."
    )


def _language_files(folder: Path) -> dict[str, Path]:
    """Return the files of lines by the code of their language, the original first."""
    files = {}
    for prefix in _PREFIXES:
        for path in sorted(folder.glob(f"{prefix}*.txt")):
            files[path.name.removeprefix(prefix).removesuffix(".txt")] = path
    return files


KNOWN = KnownDataset(
    name="ntrex",
    hub_id=None,
    config_name=None,
    revision=None,
    splits=("test",),
    licence="CC BY-SA 4.0",
    kind=QuestionKind.PROSE,
    matches=matches,
    to_question=to_question,
    id_column=None,
    input_names=INPUT_NAMES,
    published_at="https://github.com/MicrosoftTranslator/NTREX, NTREX-128",
    open_folder=open_folder,
)
