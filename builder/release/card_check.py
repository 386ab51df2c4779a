"""Compare README.md with the card that manifest.json and the rows give.

A release has to match exactly, but for what its publisher alone can say: its name, tag,
date, licence and languages are taken from the card itself. The card of a local build
may have been edited by its owner, so only what `datasets` reads has to match.
"""

import json
import re
from itertools import takewhile, zip_longest
from typing import Any, NamedTuple

from cotbuild.builder.build.build import RATIONALES, StoredBuild
from cotbuild.builder.build.compare import differences
from cotbuild.builder.build.directory import CARD
from cotbuild.builder.card import (
    CARD_VERSION,
    ReleaseFacts,
    build_front_matter,
    combine_licences,
    draw_pictures,
    parse_front_matter,
    render_card,
    split_card,
    word_lengths,
)
from cotbuild.builder.card.licences import HUB_IDS
from cotbuild.builder.release.compose import (
    first_rows,
    partial_reason,
    picture_path,
    stated_licences,
)
from cotbuild.builder.release.rebuild import rebuild_commands
from cotbuild.builder.release.sanitize import named_config
from cotbuild.builder.storage.places import safe_place
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.names import FIGURES
from cotbuild.schemas.record import short_repr

MAX_CARD_BYTES = 16 << 20
"""Largest README.md that is read; those of 100 variants have about 1 MiB."""
READ_BY_DATASETS = ("configs", "dataset_info", "size_categories")
"""Keys of the front matter that follow from the manifest in every version of the card."""
_TEXT = r'("(?:[^"\\]|\\.)*")'
_LOAD = re.compile(
    rf"^rows = load_dataset\({_TEXT}, {_TEXT}, split={_TEXT}(?:, revision={_TEXT})?\)$",
    re.MULTILINE,
)
_RELEASED = re.compile(r"^- Released: (\d{4}-\d{2}-\d{2})$", re.MULTILINE)


class _Card(NamedTuple):
    """A card as it was read."""

    front_matter: dict[str, Any]
    body: str


def check_card(build: StoredBuild) -> list[str]:
    """Check README.md; return a line for what could not be checked.

    Raises DataError if the card contradicts the manifest, or cannot be read.
    """
    card = _read_card(build)
    where = f"{build.folder}/{CARD}"
    if build.manifest.card_version != CARD_VERSION:
        _check_front_matter(card, build_front_matter(build.manifest), where)
        return [
            f"not checked: the text of {CARD}, written by another version of cotbuild"
        ]
    facts = _release_facts(build, card) if _is_release_card(build, card) else None
    expected = build_front_matter(build.manifest, facts)
    text = render_card(build.manifest, facts)
    _, body = split_card(text, where)
    if not build.is_release:
        _check_front_matter(card, expected, where)
        edited = _first_difference(card, expected, body)
        return [f"not checked: {CARD}, which was edited: {edited}"] if edited else []
    edited = _first_difference(card, expected, body)
    if edited:
        raise DataError(
            f"{where}: {edited}. The card was edited; publish or download it again."
        )
    if facts is None:
        return []
    _check_pictures_exist(build)
    return [_stated_line(facts)]


def check_front_matter(build: StoredBuild) -> None:
    """Check what `datasets` reads of README.md.

    Raises DataError if that contradicts the manifest, or cannot be read.
    """
    expected = build_front_matter(build.manifest)
    _check_front_matter(_read_card(build), expected, f"{build.folder}/{CARD}")


def _is_release_card(build: StoredBuild, card: _Card) -> bool:
    """Whether the card is that of a release; owners may add a licence of their own."""
    if "license" not in card.front_matter:
        return False
    return build.is_release or str(card.front_matter["license"]) in HUB_IDS


def _read_card(build: StoredBuild) -> _Card:
    path = safe_place(build.folder, CARD)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CARD_BYTES + 1)
        text = data.decode()
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: the card could not be read: {error}. Delete it and run generate "
            "again, or download it again."
        ) from error
    if len(data) > MAX_CARD_BYTES:
        raise DataError(
            f"{path}: larger than {MAX_CARD_BYTES >> 20} MiB. No card that cotbuild "
            "writes is; publish or build it again."
        )
    text = text.replace("\r\n", "\n")
    _, body = split_card(text, str(path))
    return _Card(parse_front_matter(text, str(path)), body)


# -- comparing -------------------------------------------------------------------------


def _check_front_matter(card: _Card, expected: dict[str, Any], where: str) -> None:
    """Check what `datasets` reads, whatever version of cotbuild worded the rest."""
    for name in READ_BY_DATASETS:
        actual_entries = _strip_descriptions(card.front_matter.get(name))
        expected_entries = _strip_descriptions(expected[name])
        place = f"front matter {name}"
        for path, value, _ in differences(actual_entries, expected_entries, place):
            raise DataError(
                f"{where}: {path} is {short_repr(value)}, which is not what "
                "manifest.json says. Delete the card and run generate again, or "
                "download it again."
            )


def _strip_descriptions(entries: Any) -> Any:
    """Return entries whose descriptions are reduced to the digest at their end."""
    if not isinstance(entries, list):
        return entries
    return [_strip_description(entry) for entry in entries]


def _strip_description(entry: Any) -> Any:
    if not isinstance(entry, dict) or "description" not in entry:
        return entry
    _, _, last_word = str(entry["description"]).rpartition(" ")
    return {**entry, "description": last_word}


def _first_difference(card: _Card, front_matter: dict[str, Any], body: str) -> str:
    """Say where a card first differs from what it should be; "" if it does not."""
    for path, value, expected in differences(
        card.front_matter, front_matter, "front matter"
    ):
        return f"{path} is {short_repr(value)}, not {short_repr(expected)}"
    lines = zip_longest(card.body.split("\n"), body.split("\n"), fillvalue="")
    for number, (line, expected_line) in enumerate(lines, start=1):
        if line != expected_line:
            start = _start_of_difference(line, expected_line)
            return (
                f"line {number} below the front matter has {short_repr(line[start:])} "
                f"where {short_repr(expected_line[start:])} should be"
            )
    return ""


def _start_of_difference(line: str, expected: str) -> int:
    """Return where to quote two lines from: the last word before they part."""
    pairs = zip(line, expected, strict=False)
    same = takewhile(lambda pair: pair[0] == pair[1], pairs)
    return line.rfind(" ", 0, sum(1 for _ in same)) + 1


# -- what a publisher states -----------------------------------------------------------


def _release_facts(build: StoredBuild, card: _Card) -> ReleaseFacts:
    """Return what the card of a release says: what only its publisher knows as stated,
    the rest as it follows from manifest and rows.
    """
    manifest = build.manifest
    config = named_config(build.config, manifest)
    load = _LOAD.search(card.body)
    repo, _, _, tag = load.groups() if load else ('""', None, None, None)
    released = _RELEASED.search(card.body)
    try:
        licence = combine_licences(
            stated_licences(manifest), str(card.front_matter["license"])
        )
    except ConfigError as error:
        raise DataError(
            f"{build.folder}/{CARD}: front matter license is "
            f"{short_repr(card.front_matter['license'])}, which the Hub does not know. "
            "The card was edited; publish or download it again."
        ) from error
    return ReleaseFacts(
        repo=_unquote(repo),
        licence=licence,
        rebuild=rebuild_commands(config, manifest),
        tag=None if tag is None else _unquote(tag),
        languages=_stated_languages(card.front_matter),
        examples=dict(first_rows(build)),
        pictures={name: picture_path(name) for name in picture_names(build)},
        partial=partial_reason(manifest),
        published=released[1] if released else None,
    )


def _stated_line(facts: ReleaseFacts) -> str:
    """Return the line that lists what only the publisher can say."""
    name = facts.repo if facts.tag is None else f"{facts.repo}@{facts.tag}"
    stated = {
        "name": name,
        "date": facts.published,
        "licence": facts.licence.id,
        "languages": ", ".join(facts.languages) or None,
    }
    values = ", ".join(f"{what} {short_repr(value)}" for what, value in stated.items())
    return f"not checked: what {CARD} states for the publisher: {values}"


def _unquote(literal: str) -> str:
    try:
        return str(json.loads(literal))
    except ValueError:
        return ""


def _stated_languages(front_matter: dict[str, Any]) -> tuple[str, ...]:
    languages = front_matter.get("language", [])
    if not isinstance(languages, list):
        return ()
    return tuple(str(language) for language in languages)


# -- pictures --------------------------------------------------------------------------


def picture_names(build: StoredBuild) -> list[str]:
    """Return the names of the pictures that a release has, as `draw_pictures` does."""
    names = ["verdicts"]
    if build.manifest.rationale_chars:
        names.append("lengths")
    if build.manifest.variants is not None:
        names.append("variants")
    return names


def _check_pictures_exist(build: StoredBuild) -> None:
    for name in picture_names(build):
        path = safe_place(build.folder, picture_path(name))
        if not path.is_file():
            raise DataError(
                f"{path}: missing, but {CARD} shows it. Publish or download it again."
            )


def check_pictures(build: StoredBuild) -> list[str]:
    """Draw the pictures of a release again; return a line for each that differs.

    A local build has none. Raises DataError if one is missing.
    """
    if not build.is_release or not (build.folder / FIGURES).is_dir():
        return []
    rows = build.read(RATIONALES, columns=["rationale"])
    drawn = draw_pictures(
        build.manifest, word_lengths(row["rationale"] for row in rows)
    )
    return [
        f"not checked: {picture_path(name)}, which differs from what is drawn here: it "
        "was changed, or drawn by another version of cotbuild or matplotlib"
        for name, data in drawn.items()
        if _read_picture(build, name, len(data) + 1) != data
    ]


def _read_picture(build: StoredBuild, name: str, limit: int) -> bytes:
    """Return the first bytes of a picture; raises DataError if it cannot be read."""
    path = safe_place(build.folder, picture_path(name))
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}. Publish or download it again."
        ) from error
