"""The statistics on a card: verdicts, flags, lengths, selection and variants."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from cotbuild.builder.attribution_bounds import (
    LOOSE_BOUNDS,
    describe_errors,
    describe_limits,
)
from cotbuild.builder.card.markdown import (
    code_block,
    code_span,
    format_counts,
    format_percent,
    inline_text,
    table_lines,
)
from cotbuild.schemas.attribution import SCORES_VERSION
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.rationale import Flag, Verdict
from cotbuild.schemas.variant import (
    Selection,
)
from cotbuild.schemas.variant_set import (
    ScoresEntry,
    VariantEntry,
    VariantsEntry,
)

ALT_TEXTS = {
    "verdicts": "Bar chart of the number of rationales by verdict",
    "lengths": "Histogram of the length of rationales in words",
    "variants": (
        "Bar charts, per variant, of the mean length of a rationale and of the share "
        "of rationales that name the target"
    ),
}
"""Alternative text of each picture."""
_WORDS_ALT_TEXT = "Bar chart, per variant, of the mean length of a rationale"
"""Of the picture of variants whose rationales are not searched for answers."""

_VARIANTS_NOTE = """\
Training rows derived from the rationales with verdict {verdicts}, with seed {seed}. \
Left out of {num_in:,} rationales: {dropped}. All variants are derived from the same \
rationales, except those whose name ends in `_all`. *Words* is the mean length of what \
a variant keeps of a rationale.\
"""
_SHARES_NOTE = """ \
The shares are of {looked_at}: \
those whose rationale names the target, or another option, verbatim; in parentheses, \
those that contain at least half of its word stems.\
"""


# -- the whole section -------------------------------------------------------------------


def statistics_lines(manifest: Manifest, pictures: Mapping[str, str]) -> list[str]:
    """Return the statistics of a release with its pictures, whose paths are given."""
    lines = ["## Statistics", "", *verdict_table(manifest), ""]
    lines += score_lines(manifest)
    lines += _picture_lines("verdicts", pictures)
    if manifest.flags:
        rows = _share_rows(manifest.flags, manifest.num_planned)
        lines += ["Flags (a rationale may have several):", ""]
        lines += [*table_lines(("flag", "rows", "share"), rows), ""]
    lines += rule_lines(manifest)
    lines += [*_summary_lines(manifest), ""]
    lines += _picture_lines("lengths", pictures)
    if manifest.variants is not None:
        lines += variant_lines(manifest, manifest.variants)
        has_shares = manifest.variants.num_looked_at > 0
        alt_text = ALT_TEXTS["variants"] if has_shares else _WORDS_ALT_TEXT
        lines += _picture_lines("variants", pictures, alt_text)
    return lines


def _picture_lines(
    name: str, pictures: Mapping[str, str], alt_text: str | None = None
) -> list[str]:
    if name not in pictures:
        return []
    return [f"![{alt_text or ALT_TEXTS[name]}]({quote(pictures[name])})", ""]


def failure_lines(manifest: Manifest) -> list[str]:
    """Return the unscored rows by reason, and what servers said about failures."""
    groups = [
        f"  - {group.count:,} {inline_text(group.kind)}: {inline_text(group.message)}"
        for group in manifest.failure_messages
    ]
    return [f"- Unscored, by reason: {format_counts(manifest.failures)}", *groups]


def _summary_lines(manifest: Manifest) -> list[str]:
    num_truncated = manifest.verdicts.get(Verdict.TRUNCATED, 0)
    num_cut = num_truncated + manifest.flags.get(Flag.CUT, 0)
    lines = [
        f"- Cut off by the token limit: {num_cut:,} of {manifest.num_planned:,}",
        *failure_lines(manifest),
        "- Target hidden (elicit) or shown (rationalize): "
        f"{format_counts(manifest.purposes)}",
        *reflection_lines(manifest),
    ]
    if not manifest.rationale_chars:
        return [*lines, "- No rationale was kept"]
    low, first_quartile, median, third_quartile, high = manifest.rationale_chars
    length = (
        f"- Length of a rationale in characters: median {median:,}, "
        f"quartiles {first_quartile:,} and {third_quartile:,}, "
        f"range {low:,} to {high:,}"
    )
    return [*lines, length]


# -- verdicts ----------------------------------------------------------------------------


def verdict_table(manifest: Manifest) -> list[str]:
    """Return a table of rows and shares by verdict."""
    rows = _share_rows(possible_verdicts(manifest), manifest.num_planned)
    return table_lines(("verdict", "rows", "share"), rows)


def possible_verdicts(manifest: Manifest) -> dict[str, int]:
    """Return the rows of each verdict, without those that answers in prose cannot have."""
    compared = (Verdict.CORRECT, Verdict.INCORRECT)
    return {
        verdict: count
        for verdict, count in manifest.verdicts.items()
        if not (manifest.has_only_prose and verdict in compared)
    }


def score_lines(manifest: Manifest) -> list[str]:
    """Return the mean scores of answers in prose with their signatures, if any."""
    if not manifest.scores:
        return []
    means = [
        f"{score.metric}|{score.settings} = {score.mean:.2f} ({score.num_rows:,} answers)"
        for score in manifest.scores
    ]
    packages = inline_text(manifest.prose_scorers or "packages not recorded")
    return [
        "Answers in prose are scored against their references, from 0 to 100, and are "
        f"neither correct nor incorrect. Means over single answers, by {packages}:",
        "",
        *code_block("\n".join(means)),
        "",
    ]


def _share_rows(counts: Mapping[str, int], total: int) -> list[tuple[str, ...]]:
    return [
        (inline_text(name), str(count), format_percent(count, total))
        for name, count in counts.items()
    ]


def reflection_lines(manifest: Manifest) -> list[str]:
    """Return how attempts were evaluated; nothing if there were none."""
    if manifest.attempts is None:
        return []
    attempts = manifest.attempts
    which = "wrong attempts" if attempts.only == "wrong" else "attempts"
    files = ", ".join(code_span(file.file) for file in attempts.files)
    heading = (
        f"- Evaluated: {attempts.num_evaluated:,} {which} of {attempts.num_texts:,} in "
        f"{files}; left out: {format_counts(attempts.dropped)}; by verdict on the "
        "attempt, evaluation and verdict after it:"
    )
    counts = [
        f"  - {count:,} {inline_text(name)}"
        for name, count in manifest.reflections.items()
    ]
    return [heading, *counts]


def rule_lines(manifest: Manifest) -> list[str]:
    """Return a table of verdicts by the rule that read the answer; none in old builds."""
    if not manifest.answer_rules:
        return []
    verdicts = [name for name, count in manifest.verdicts.items() if count]
    rows = []
    for rule, counts in manifest.answer_rules.items():
        by_verdict = [str(counts.get(verdict, 0)) for verdict in verdicts]
        rows.append((inline_text(rule), *by_verdict))
    return [
        "By the rule that read the answer (`answer_rule`):",
        "",
        *table_lines(("rule", *verdicts), rows),
        "",
    ]


def target_lines(manifest: Manifest) -> list[str]:
    """Return a table of verdicts by target, as the card of a local build has it."""
    if not manifest.verdicts_by_target:
        return []
    rows = []
    for target, counts in manifest.verdicts_by_target.items():
        by_verdict = [str(counts.get(verdict, 0)) for verdict in manifest.verdicts]
        rows.append((inline_text(target), str(sum(counts.values())), *by_verdict))
    return [
        "By target:",
        "",
        *table_lines(("target", "rows", *manifest.verdicts), rows),
        "",
        "Keeping only correct rationales changes the balance of the targets.",
        "",
    ]


# -- selection ---------------------------------------------------------------------------


def selection_lines(manifest: Manifest) -> list[str]:
    """Return what the selection of rationales leaves out, by reason and target.

    It is that of the variants, or of the correct rationales if there are no variants.
    """
    lines = ["## Selection", ""]
    entry = manifest.variants
    kept_verdicts = _kept_verdicts(manifest)
    if entry is not None:
        lines += [_selection_of_variants(entry, kept_verdicts), ""]
    elif manifest.has_only_prose:
        note = "This release contains every rationale. Answers in prose are scored."
        return [*lines, note, ""]
    else:
        lines += [
            "This release contains every rationale. "
            "Keeping only the correct ones would keep, by target:",
            "",
        ]
    if not manifest.verdicts_by_target:
        reason = "The questions do not share a few targets"
    elif entry is not None and not _is_by_verdict_alone(entry):
        reason = "Other filters than the verdict left rationales out"
    else:
        return [*lines, *_selection_table(manifest, kept_verdicts), ""]
    return [*lines, f"{reason}, so there are no counts by target.", ""]


def _is_by_verdict_alone(entry: VariantsEntry) -> bool:
    """Return whether verdicts decided which rationales the variants were derived from.

    What other filters leave out is not recorded by target.
    """
    return entry.dropped.keys() <= {"verdict"}


def _kept_verdicts(manifest: Manifest) -> list[str]:
    """Return the verdicts that the variants keep, or would; scored if there is one."""
    entry = manifest.variants
    selection = Selection() if entry is None else entry.made.selection
    return [
        verdict.value
        for verdict in selection.kept_verdicts
        if verdict in selection.verdicts or manifest.verdicts.get(verdict)
    ]


def _selection_of_variants(entry: VariantsEntry, kept_verdicts: Sequence[str]) -> str:
    withheld = {v.name: v.dropped for v in entry.variants if v.dropped}
    scores = "".join(
        f" {scores_sentence(name, scores)}" for name, scores in entry.scores.items()
    )
    return (
        f"The variants contain the rationales with verdict {', '.join(kept_verdicts)}. "
        f"Left out of {entry.num_in:,} rationales, by reason: "
        f"{format_counts(entry.dropped)}. "
        "Also left out, because a variant could not be derived from them: "
        f"{format_counts(withheld)}.{scores}"
    )


def scores_sentence(name: str, scores: ScoresEntry) -> str:
    """Return how the scores in a file were checked, in one sentence."""
    info = scores.info
    named = f"the file {code_span(name)} ({code_span(info.method)})"
    if info.format_version < SCORES_VERSION:
        return (
            f"The scores in {named} were checked against no bound, so "
            "some may not have converged."
        )
    if info.bounds is None:
        return f"The scores in {named} needed no bound."
    sentence = (
        f"Of the scores in {named}, those of {info.num_refused:,} "
        f"rationales are refused, because they had not converged at "
        f"{info.bounds.last_steps(info.steps or 1):,} steps ({describe_limits(info.bounds)}; "
        f"{describe_errors(info)})."
    )
    if info.bounds.is_loose:
        sentence += f" Caution: {LOOSE_BOUNDS}."
    return sentence


def _selection_table(manifest: Manifest, kept_verdicts: Sequence[str]) -> list[str]:
    header = (
        "target",
        "rationales",
        f"kept ({', '.join(kept_verdicts)})",
        "left out",
        "share left out",
    )
    rows = []
    for target, counts in manifest.verdicts_by_target.items():
        num_rationales = sum(counts.values())
        num_kept = sum(counts.get(verdict, 0) for verdict in kept_verdicts)
        num_left_out = num_rationales - num_kept
        rows.append(
            (
                inline_text(target),
                f"{num_rationales:,}",
                f"{num_kept:,}",
                f"{num_left_out:,}",
                format_percent(num_left_out, num_rationales),
            )
        )
    return table_lines(header, rows)


# -- variants ----------------------------------------------------------------------------


def _looked_at(entry: VariantsEntry) -> str:
    """Name the rows that were searched for answers."""
    rows = f"{entry.num_looked_at:,} rows"
    match entry.looked_at_every:
        case None:
            return f"the first {rows}"
        case 1:
            return f"all {rows}"
        case every:
            return f"{rows}, one of every {every:,}"


def variant_lines(manifest: Manifest, entry: VariantsEntry) -> list[str]:
    """Return a table of the variants: rows, mean words, and how many name an option."""
    note = _VARIANTS_NOTE.format(
        verdicts=", ".join(_kept_verdicts(manifest)),
        seed=entry.made.seed,
        num_in=entry.num_in,
        dropped=format_counts(entry.dropped),
    )
    shares: tuple[str, ...] = ()
    if entry.num_looked_at:
        note += _SHARES_NOTE.format(looked_at=_looked_at(entry))
        shares = ("names the target", "names another option")
    if entry.has_mostly_unspaced:
        note += f" Caution: {describe_unspaced(entry)}"
    header = ("variant", "rows", "words", *shares, "description")
    # A release may hold fewer variants than were derived together.
    descriptions = {spec.name: spec.about for spec in entry.made.specs}
    rows = [
        _variant_row(variant, descriptions, has_shares=bool(shares))
        for variant in entry.variants
    ]
    return ["## Variants", "", note, "", *table_lines(header, rows), ""]


def describe_unspaced(entry: VariantsEntry) -> str:
    """Return what it means that rationales have no spaces between words."""
    return (
        f"{entry.num_unspaced:,} of {entry.num_selected:,} rationales are in a script "
        "without spaces between words, such as Chinese, Japanese or Thai. Words are split "
        "at spaces, so variants of words are mostly the rationale as it is, or empty, and "
        "counts of words and shares by word stems mean little."
    )


def _variant_row(
    variant: VariantEntry, descriptions: Mapping[str, str], *, has_shares: bool
) -> tuple[str, ...]:
    shares = (
        _share_pair(variant.names_target, variant.loosely_target),
        _share_pair(variant.names_other, variant.loosely_other),
    )
    return (
        code_span(variant.name),
        str(variant.num_rows),
        f"{variant.words:.1f}",
        *(shares if has_shares else ()),
        inline_text(descriptions[variant.name]),
    )


def _share_pair(verbatim: float, by_stems: float) -> str:
    return f"{format_percent(verbatim)} ({format_percent(by_stems)})"
