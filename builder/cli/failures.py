"""How failed and cut requests are shown: what servers said, and what to do about it."""

from collections import Counter
from collections.abc import Iterator

from cotbuild.builder.cli.layout import list_counts, wrap_text
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.answers.grade import GIVEN_BY_CHOICE
from cotbuild.schemas.completion import FailureKind
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.rationale import Verdict


def unscored_lines(manifest: Manifest) -> Iterator[str]:
    """Yield how many chains are unscored for which reason, and what servers said."""
    if not manifest.failures:
        return
    yield f"unscored: {list_counts(manifest.failures)}"
    for group in manifest.failure_messages:
        yield from wrap_text(f"  {group.count} {group.kind}: ", group.message)
    for kind, count in _count_unlisted(manifest).items():
        yield f"  {count} {kind}: other messages"


def _count_unlisted(manifest: Manifest) -> dict[str, int]:
    """Return the failures by kind whose messages the manifest does not list.

    Empty where it lists none, as that of an older build.
    """
    listed: Counter[str] = Counter()
    for group in manifest.failure_messages:
        listed[group.kind] += group.count
    by_kind = {kind.value: manifest.failures.get(kind, 0) for kind in FailureKind}
    unlisted = Counter(by_kind)
    return dict(unlisted - listed) if listed else {}


def remedy_lines(manifest: Manifest) -> Iterator[str]:
    """Yield what to do about failed and cut requests, and how they are sent again."""
    if manifest.run is not None and manifest.run.open_failures:
        failures = pluralize(manifest.run.open_failures, "request")
        yield f"{failures} failed with retryable errors; run the same command to retry"
    num_rejected = manifest.failures.get(FailureKind.REJECTED, 0)
    if num_rejected:
        rejected = pluralize(num_rejected, "request")
        yield f"{rejected} rejected: sent again only with --retry-failed"
        for advice in _advice(manifest):
            yield from wrap_text("  ", advice)
    by_choice = manifest.answer_rules.get(GIVEN_BY_CHOICE, {})
    if num_cut := by_choice.get(Verdict.TRUNCATED, 0):
        answers = pluralize(num_cut, "constrained answer")
        yield f"{answers} cut by the token limit of decode choice"
        yield (
            "  A teacher that reasons first needs more, such as --set choice_tokens=2048."
        )


def _advice(manifest: Manifest) -> list[str]:
    """Return what to do about the rejections, each advice once."""
    # Here, since most runs have no rejections.
    from cotbuild.builder.teachers.http.advice import advise_on_rejection

    found: dict[str, None] = {}
    for group in manifest.failure_messages:
        if group.kind == FailureKind.REJECTED:
            advice = advise_on_rejection(group.message)
            if advice is not None:
                found[advice] = None
    return list(found)
