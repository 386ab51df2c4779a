"""Which licence a release has by default, from those its parts state.

Pure; a reading of labels, no legal advice.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from cotbuild.schemas.errors import ConfigError

NOT_ADVICE = "This is read off what the parts state and is not legal advice."

_HUB_IDS = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc
cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0
cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0
cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1
agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++
osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license llama2 gemma unknown other
"""
HUB_IDS = frozenset(_HUB_IDS.split())
"""The identifiers that the Hub takes in a card (its documentation, page
repositories-licenses).
"""

# Those that join freely, by how much they ask of whoever passes the data on; a release
# takes the highest.
_FREE = "cc0-1.0 pddl unlicense wtfpl | isc mit zlib bsd bsd-2-clause | bsd-3-clause | apache-2.0 | "
_FREE += "odc-by cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0"
_RANK = {
    name: rank for rank, names in enumerate(_FREE.split("|")) for name in names.split()
}
_WORDS = {
    "licence": "",
    "license": "",
    "the": "",
    "version": "",
    "v": "",
    "international": "",
    "unported": "",
    "attribution": "by",
    "sharealike": "sa",
    "share-alike": "sa",
    "noncommercial": "nc",
    "non-commercial": "nc",
    "noderivatives": "nd",
    "no-derivatives": "nd",
    "creative-commons": "cc",
    "cc0": "cc0-1.0",
}
_CC_TERM = frozenset({"by", "sa", "nc", "nd"})


class Licence(NamedTuple):
    """The licence of a release."""

    id: str
    """In the Hub's vocabulary."""
    name: str | None
    """What it is called where `id` is `other`."""
    lines: tuple[str, ...]
    """How it came about, in plain sentences; may hold text of the parts, unescaped."""
    link: str | None = None
    """LICENSE, where the release has such a file; else None."""


def normalised(stated: str | None) -> str:
    """The Hub's identifier for a licence as people write it; `unknown` where none is
    stated, `other` where none fits.

    Only what stands before the first semicolon counts: "Apache-2.0 upstream; its Hub
    card says unknown".
    """
    if stated is not None and stated.casefold() in HUB_IDS:
        return stated.casefold()
    tokens = _tokens((stated or "").partition(";")[0])
    if not tokens or tokens in (["none"], ["not", "stated"], ["none", "stated"]):
        return "unknown"
    found: list[str] = []
    while tokens:
        name, length = _leading(tokens)
        found += [name] if name else []
        tokens = tokens[length:]
    different = list(dict.fromkeys(found))
    return different[0] if len(different) == 1 else "other"


def _tokens(text: str) -> list[str]:
    words = " ".join(re.findall(r"[a-z0-9.+]+", text.casefold()))
    joined = re.sub(
        r"\b(share|non|no|creative) (alike|commercial|derivatives|commons)\b",
        r"\1-\2",
        words,
    )
    plain = (_WORDS.get(word, word).strip(".") for word in joined.split())
    return [part for word in plain if word for part in word.split("-")]


def _leading(tokens: list[str]) -> tuple[str | None, int]:
    """The longest identifier that the tokens begin with, and how many of them it takes;
    None, 1: none.
    """
    for length in range(min(len(tokens), 5), 0, -1):
        name = "-".join(tokens[:length])
        if name in HUB_IDS:
            # "CC BY-SA" without a version names no licence of the list, and its family
            # would hide what it asks.
            return (
                "other" if name == "cc" and _CC_TERM & set(tokens[1:2]) else name
            ), length
    return None, 1


def licence_of(parts: Mapping[str, str | None], given: str | None = None) -> Licence:
    """The licence of a release made of `parts`: what each is, such as "the questions",
    to its licence as stated.

    `given`: what the publisher chose, an identifier of the Hub's. One that is laxer
    than a part is taken, and said plainly in `lines`, since a rights holder may license
    anew and only they know. Raises ConfigError where the Hub has no such identifier.
    """
    if given is not None and given not in HUB_IDS:
        raise ConfigError(
            f"--license {given!r}: no identifier of the Hub's. Expected one such as mit, apache-2.0, cc-by-4.0, "
            f"cc-by-sa-4.0, cc-by-nc-4.0, unknown or other. The nearest: {normalised(given)}."
        )
    ids = {what: normalised(stated) for what, stated in parts.items()}
    default, why = _joined(ids)
    lines = [_part(what, stated, ids[what]) for what, stated in parts.items()]
    if given is None or given == default:
        return _licence(default, (*lines, why))
    chosen = f"The publisher chose {given} for this release; from its parts alone it would be {default}: {why}"
    if _is_laxer(given, default):
        chosen += f" {given} may allow what a part does not: before you rely on it, look at the parts."
    return _licence(given, (*lines, chosen))


def _licence(name: str, lines: tuple[str, ...]) -> Licence:
    return Licence(name, "terms-of-its-parts" if name == "other" else None, lines)


def _part(what: str, stated: str | None, name: str) -> str:
    if name == "unknown":
        said = f" ({stated})" if stated and stated.casefold() != "unknown" else ""
        return f"The licence of {what} is unknown{said}: nobody is known to have allowed their use."
    return f"The licence of {what}, as stated: {stated}."


def _joined(ids: Mapping[str, str]) -> tuple[str, str]:
    """The licence that fits all parts, and why."""
    names = sorted(set(ids.values()))
    if "unknown" in names:
        return (
            "unknown",
            "A part's licence is unknown, so that of the whole is unknown.",
        )
    if len(names) == 1 and names[0] != "other" and not _forbids_derived(names[0]):
        return names[0], f"All parts have {names[0]}."
    strange = [name for name in names if name not in _RANK and not _binds(name)]
    if strange or any(map(_forbids_derived, names)):
        return (
            "other",
            f"The parts have {', '.join(names)}, which do not fit under one licence; each part keeps its own.",
        )
    return _strictest(names)


def _strictest(names: list[str]) -> tuple[str, str]:
    """Of licences that join freely or bind: the one that binds the others, if there is
    one.
    """
    alike = [name for name in names if _shares_alike(name)]
    bound = [name for name in names if _is_non_commercial(name)]
    both = f"The parts have {', '.join(names)}"
    if alike:
        latest = _latest(alike)
        if latest is None or (bound and not _is_non_commercial(latest)):
            return (
                "other",
                f"{both}, which cannot be joined under one licence; each part keeps its own.",
            )
        return latest, f"{both}; {latest} asks that what is made of it is shared alike."
    if bound:
        latest = max(bound)
        return latest, f"{both}; {latest} allows no commercial use."
    latest = max(names, key=lambda name: (_RANK[name], name))
    return latest, f"{both}; {latest} asks the most of them."


def _latest(alike: list[str]) -> str | None:
    """The latest version of the one Creative Commons family there is; None: there are
    several.
    """
    families = {name.rpartition("-")[0] for name in alike}
    return max(alike) if len(families) == 1 else None


def _is_non_commercial(name: str) -> bool:
    return "nc" in name.split("-")


def _shares_alike(name: str) -> bool:
    return "sa" in name.split("-")


def _forbids_derived(name: str) -> bool:
    return "nd" in name.split("-")


def _binds(name: str) -> bool:
    return _is_non_commercial(name) or _shares_alike(name)


def _is_laxer(given: str, default: str) -> bool:
    """Whether `given` may allow what `default` does not; also where nobody can tell."""
    if given == "unknown":
        return False
    return not (given in _RANK and default in _RANK and _RANK[given] >= _RANK[default])
