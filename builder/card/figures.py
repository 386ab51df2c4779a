"""Figures of a build: verdicts, flags, lengths, leaks, and what selection leaves out."""

from collections.abc import Mapping
from urllib.parse import quote

from cotbuild.builder.card.escape import code, counts, inline, percent, table
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.rationale import Verdict
from cotbuild.schemas.variant import VariantEntry, VariantsEntry

ALT = {
    "verdicts": "Bar chart of the rationales by verdict",
    "lengths": "Histogram of the words of a kept rationale",
    "variants": "Bar charts of each variant's mean words and of the share that names the target",
}
"""Each picture in words."""


def verdict_table(manifest: Manifest) -> list[str]:
    """Rows and shares by verdict."""
    return table(
        ("verdict", "rows", "share"), _shares(manifest.verdicts, manifest.num_planned)
    )


def _shares(found: Mapping[str, int], total: int) -> list[tuple[str, ...]]:
    return [
        (inline(name), str(count), percent(count, total))
        for name, count in found.items()
    ]


def target_lines(manifest: Manifest) -> list[str]:
    """Verdicts by target, in a build's own card."""
    if not manifest.verdicts_by_target:
        return []
    rows = [
        (
            inline(target),
            str(sum(found.values())),
            *(str(found.get(verdict, 0)) for verdict in manifest.verdicts),
        )
        for target, found in manifest.verdicts_by_target.items()
    ]
    note = (
        "Keeping only correct rationales selects; this is what each target would keep."
    )
    return [
        "By target:",
        "",
        *table(("target", "rows", *manifest.verdicts), rows),
        "",
        note,
        "",
    ]


def figure_lines(manifest: Manifest, pictures: Mapping[str, str]) -> list[str]:
    """The figures of a release, with their pictures."""
    lines = [
        "## Figures",
        "",
        *verdict_table(manifest),
        "",
        *_picture("verdicts", pictures),
    ]
    if manifest.flags:
        lines += ["Flags; a rationale may have several:", ""]
        lines += [
            *table(
                ("flag", "rows", "share"), _shares(manifest.flags, manifest.num_planned)
            ),
            "",
        ]
    lines += [
        _in_words(manifest),
        "",
        *_picture("lengths", pictures),
        *variant_lines(manifest.variants),
    ]
    return lines + (_picture("variants", pictures) if manifest.variants else [])


def _picture(name: str, pictures: Mapping[str, str]) -> list[str]:
    return [f"![{ALT[name]}]({quote(pictures[name])})", ""] if name in pictures else []


def _in_words(manifest: Manifest) -> str:
    cut = manifest.verdicts.get(Verdict.TRUNCATED, 0) + manifest.flags.get("cut", 0)
    said = f"Cut by the limit on tokens: {cut:,} of {manifest.num_planned:,}. Unscored: {counts(manifest.failures)}. "
    said += (
        f"Target hidden (elicit) or shown (rationalize): {counts(manifest.purposes)}. "
    )
    if not manifest.rationale_chars:
        return said + "No rationale was kept."
    low, first, middle, third, high = manifest.rationale_chars
    return said + (
        f"Characters of a kept rationale: median {middle:,}, half of them {first:,} to {third:,}, all {low:,} to "
        f"{high:,}."
    )


def selection_lines(manifest: Manifest) -> list[str]:
    """What the variants' choice of rationales, or a choice of correct ones, leaves out,
    by target and reason.
    """
    entry = manifest.variants
    kept = [
        verdict.value
        for verdict in (entry.made.selection.verdicts if entry else (Verdict.CORRECT,))
    ]
    lines = ["## What selection leaves out", ""]
    if entry is None:
        lines += [
            "Every rationale is in this release. Keeping only correct ones would keep, by target:",
            "",
        ]
    else:
        lines += [
            f"The variants hold rationales with verdict {', '.join(kept)}. Left out of {entry.num_in:,}, by reason: "
            f"{counts(entry.dropped)}. Further left out, since one variant of the set cannot have them: "
            f"{_withheld(entry)}.",
            "",
        ]
    if not manifest.verdicts_by_target:
        return [
            *lines,
            "The questions are not of a kind with few targets, so there are no counts by target.",
            "",
        ]
    return [*lines, *_by_target(manifest, kept), ""]


def _withheld(entry: VariantsEntry) -> str:
    return counts(
        {found.name: found.dropped for found in entry.variants if found.dropped}
    )


def _by_target(manifest: Manifest, kept: list[str]) -> list[str]:
    rows = []
    for target, found in manifest.verdicts_by_target.items():
        total, keeps = (
            sum(found.values()),
            sum(found.get(verdict, 0) for verdict in kept),
        )
        rows.append(
            (
                inline(target),
                f"{total:,}",
                f"{keeps:,}",
                f"{total - keeps:,}",
                percent(total - keeps, total),
            )
        )
    header = (
        "target",
        "rationales",
        f"kept by verdict ({', '.join(kept)})",
        "left out",
        "share left out",
    )
    return table(header, rows)


def variant_lines(entry: VariantsEntry | None) -> list[str]:
    """What each variant came to: rows, words, leaks."""
    if entry is None:
        return []
    made, header = (
        entry.made,
        (
            "variant",
            "rows",
            "words",
            "names the target",
            "names another option",
            "what it is",
        ),
    )
    about = {
        spec.name: spec.about for spec in made.specs
    }  # a release may hold fewer variants than were made
    rows: list[tuple[str, ...]] = [
        (
            code(found.name),
            str(found.num_rows),
            f"{found.words:.1f}",
            *_named(found),
            inline(about[found.name]),
        )
        for found in entry.variants
    ]
    return [
        "## Variants",
        "",
        f"Training rows made of the rationales with verdict {', '.join(made.selection.verdicts)}, seed {made.seed}. "
        f"Left out of {entry.num_in} rationales: {counts(entry.dropped)}. All variants hold the same rationales, but "
        "those whose name ends in `_all`. Words are the mean of what a variant leaves of a rationale. The shares are "
        f"of the first {entry.num_looked_at} rows: those that name the target, or another option, word for word, and "
        "in brackets those that do by half of its word stems.",
        "",
        *table(header, rows),
        "",
    ]


def _named(entry: VariantEntry) -> tuple[str, ...]:
    return (
        f"{percent(entry.names_target)} ({percent(entry.loosely_target)})",
        f"{percent(entry.names_other)} ({percent(entry.loosely_other)})",
    )
