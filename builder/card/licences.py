"""The licence of a release by default, from the stated licences of its parts.

Pure. It reads labels and is no legal advice.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cotbuild.schemas.errors import ConfigError

NOT_ADVICE = (
    "This is derived from the stated licences of the parts and is not legal advice."
)

_HUB_IDS = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m
bigscience-bloom-rail-1.0 bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd
bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5
cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0
cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0
epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1
lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1
ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license llama2 gemma unknown other
"""
HUB_IDS = frozenset(_HUB_IDS.split())
"""The identifiers that the Hub accepts (its documentation, page repositories-licenses)."""

# Licences that combine freely, ranked by what they require of whoever passes the data
# on; a release takes the highest.
_PERMISSIVE = (
    "cc0-1.0 pddl unlicense wtfpl",
    "isc mit zlib bsd bsd-2-clause",
    "bsd-3-clause",
    "apache-2.0",
    "odc-by cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0",
)
_RANK = {name: rank for rank, names in enumerate(_PERMISSIVE) for name in names.split()}
_NEUTRAL = """
the licence license licensed under version v upstream international unported universal
public domain dedication
"""
"""Words beside an identifier that change nothing about the licence."""
_SYNONYMS = dict.fromkeys(_NEUTRAL.split(), "") | {
    "attribution": "by",
    "sharealike": "sa",
    "share-alike": "sa",
    "noncommercial": "nc",
    "non-commercial": "nc",
    "noderivatives": "nd",
    "no-derivatives": "nd",
    "creative-commons": "cc",
}
_ABBREVIATIONS = {"cc0": "cc0-1.0"}
_CC_TERMS = frozenset({"by", "sa", "nc", "nd"})
_OWN_REMARKS = re.compile(
    r"^that of [\w-]+, if it is a copy: "
    r"|; its Hub card says unknown$"
    r"|; its explanations MIT$"
)
"""What cotbuild's own sources say beside the licence of their questions."""


class Licence(NamedTuple):
    """The licence of a release."""

    id: str
    """In the Hub's vocabulary."""
    name: str | None
    """Its name if `id` is `other`."""
    lines: tuple[str, ...]
    """How it was derived, in sentences; may quote the parts, unescaped."""
    link: str | None = None
    """LICENSE, if the release has such a file."""


# -- from stated licences to identifiers -------------------------------------------------


def normalize_licence(stated: str | None) -> str:
    """Return the Hub's identifier for a licence as people write it.

    It is `unknown` if none is stated, and `other` if none fits or if the text says
    anything beside it: "MIT, but for research only" is not the MIT licence.
    """
    if stated is not None and stated.casefold() in HUB_IDS:
        return stated.casefold()
    tokens = _split_tokens(_OWN_REMARKS.sub("", stated or ""))
    if not tokens or tokens in (["none"], ["not", "stated"], ["none", "stated"]):
        return "unknown"
    identifiers = set(_find_identifiers(tokens))
    return identifiers.pop() if len(identifiers) == 1 else "other"


def _split_tokens(text: str) -> list[str]:
    words = " ".join(re.findall(r"[\w.+]+", text.casefold()))
    hyphenated = re.sub(
        r"\b(share|non|no|creative) (alike|commercial|derivatives|commons)\b",
        r"\1-\2",
        words,
    )
    tokens = []
    for word in hyphenated.split():
        synonym = _SYNONYMS.get(word, word).strip(".")
        tokens += synonym.split("-") if synonym else []
    return tokens


def _find_identifiers(tokens: list[str]) -> Iterator[str]:
    """Yield the identifiers, and `other` for words that are part of none."""
    position = 0
    while position < len(tokens):
        name, length = _leading_identifier(tokens, position)
        yield name
        position += length


def _leading_identifier(tokens: list[str], start: int) -> tuple[str, int]:
    """Return the longest identifier at `start` and its number of tokens.

    It is `other` for a word that starts none. "CC BY-SA" without a version is none
    either: its family alone would hide what it requires.
    """
    for length in range(min(len(tokens) - start, 5), 0, -1):
        name = "-".join(tokens[start : start + length])
        if name == "cc" and _CC_TERMS & set(tokens[start + 1 : start + 2]):
            break
        for identifier in (name, _ABBREVIATIONS.get(name), f"cc-{name}"):
            if identifier in HUB_IDS:
                return identifier, length
    return "other", 1


# -- from the parts to the release -------------------------------------------------------


def combine_licences(
    parts: Mapping[str, str | None], chosen: str | None = None
) -> Licence:
    """Return the licence of a release made of `parts`.

    `parts` maps what a part is, such as "the questions", to its licence as stated.
    `chosen` is the publisher's own choice, an identifier of the Hub. It is accepted
    even if it is more permissive than a part, since a rights holder may relicense and
    only they know; `lines` then say so. Raises ConfigError if the Hub has no such
    identifier.
    """
    if chosen is not None and chosen not in HUB_IDS:
        raise ConfigError(
            f"--license {chosen!r}: not an identifier the Hub knows. Use one such as mit, "
            "apache-2.0, cc-by-4.0, cc-by-sa-4.0, cc-by-nc-4.0, unknown or other. "
            f"The closest is {normalize_licence(chosen)}."
        )
    ids = {part: normalize_licence(stated) for part, stated in parts.items()}
    default, reason = _combined_id(set(ids.values()))
    lines = [_describe_part(part, stated, ids[part]) for part, stated in parts.items()]
    if chosen is None or chosen == default:
        return _licence(default, [*lines, reason])
    choice = (
        f"The publisher chose {chosen} for this release. "
        f"Its parts alone would give {default}: {reason}"
    )
    if _may_permit_more(chosen, default):
        choice += (
            f" {chosen} may permit what a part does not: check the parts before you "
            "rely on it."
        )
    return _licence(chosen, [*lines, choice])


def _licence(name: str, lines: list[str]) -> Licence:
    own_name = "terms-of-its-parts" if name == "other" else None
    return Licence(name, own_name, tuple(lines))


def _describe_part(part: str, stated: str | None, name: str) -> str:
    if name != "unknown":
        return f"Stated licence of {part}: {stated}."
    is_quoted = stated and stated.casefold() != "unknown"
    quote = f" ({stated})" if is_quoted else ""
    return (
        f"The licence of {part} is unknown{quote}: "
        "as far as is known, nobody has permitted their use."
    )


def _combined_id(ids: set[str]) -> tuple[str, str]:
    """Return the licence that fits all parts, and why."""
    names = sorted(ids)
    if "unknown" in names:
        return (
            "unknown",
            "A part has no known licence, so the release as a whole has none.",
        )
    permits_derivatives = not any(map(_forbids_derivatives, names))
    if len(names) == 1 and names[0] != "other" and permits_derivatives:
        return names[0], f"All parts are under {names[0]}."
    is_combinable = all(name in _RANK or _is_binding(name) for name in names)
    if is_combinable and permits_derivatives:
        return _most_restrictive(names)
    return _cannot_be_combined(names)


def _most_restrictive(names: list[str]) -> tuple[str, str]:
    """Return the licence that the others can be combined under, if there is one."""
    parts = f"The parts are under {', '.join(names)}"
    share_alike = [name for name in names if _is_share_alike(name)]
    non_commercial = [name for name in names if _is_non_commercial(name)]
    if share_alike:
        latest = _latest_version(share_alike)
        if latest is None or (non_commercial and not _is_non_commercial(latest)):
            return _cannot_be_combined(names)
        reason = f"{latest} requires derivatives to be shared under the same terms"
    elif non_commercial:
        latest = max(non_commercial)
        reason = f"{latest} does not permit commercial use"
    else:
        latest = max(names, key=lambda name: (_RANK[name], name))
        reason = f"{latest} requires the most of them"
    return latest, f"{parts}; {reason}."


def _cannot_be_combined(names: list[str]) -> tuple[str, str]:
    return (
        "other",
        f"The parts are under {', '.join(names)}, which cannot be combined under one "
        "licence; each part keeps its own.",
    )


def _latest_version(names: list[str]) -> str | None:
    """Return the latest version of a Creative Commons licence, None if they are several."""
    families = {name.rpartition("-")[0] for name in names}
    return max(names) if len(families) == 1 else None


def _is_non_commercial(name: str) -> bool:
    return "nc" in name.split("-")


def _is_share_alike(name: str) -> bool:
    return "sa" in name.split("-")


def _forbids_derivatives(name: str) -> bool:
    return "nd" in name.split("-")


def _is_binding(name: str) -> bool:
    """Return whether it restricts under which licence derivatives may be."""
    return _is_non_commercial(name) or _is_share_alike(name)


def _may_permit_more(chosen: str, default: str) -> bool:
    """Return whether `chosen` may permit what `default` does not, as far as is known."""
    if chosen == "unknown":
        return False
    is_ranked = chosen in _RANK and default in _RANK
    return not (is_ranked and _RANK[chosen] >= _RANK[default])
