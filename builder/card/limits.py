"""Known limits of a release, and what it was made of under which licence."""

from collections.abc import Iterator

from cotbuild.builder.card.asked import is_fake
from cotbuild.builder.card.escape import code, counts, inline, percent, table
from cotbuild.builder.card.licences import NOT_ADVICE, Licence
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.rationale import Flag, Purpose, Verdict


def limit_lines(manifest: Manifest) -> list[str]:
    """What a reader should know before they build on it; each sentence from the
    manifest's own figures.
    """
    return ["## Known limits", "", *(f"- {limit}" for limit in _limits(manifest)), ""]


def _limits(manifest: Manifest) -> Iterator[str]:
    total, flags = manifest.num_planned, manifest.flags
    if is_fake(manifest):
        yield "The teacher is a script for tests: no model wrote these rationales, and they teach nothing."
    yield (
        f"{percent(manifest.verdicts.get(Verdict.CORRECT, 0), total)} of the answers match the target. A right answer "
        "may follow from wrong reasoning, and a target may be wrong itself; nobody read them."
    )
    none = percent(manifest.verdicts.get(Verdict.NO_ANSWER, 0), total)
    yield (
        f"The answer was taken out of the text by rules (version {manifest.extract_version}); where they found no "
        f"single one the verdict is no_answer ({none}), never a guess."
    )
    if named := flags.get(Flag.NAMES_TARGET):
        yield (
            f"{percent(named, total)} of the rationales name the target itself, so a student may learn to copy it "
            "rather than to reason."
        )
    if shown := manifest.purposes.get(Purpose.RATIONALIZE):
        yield f"{shown:,} rationales were written with the target in sight: they explain it, they did not find it."
    if manifest.imported is not None:
        yield "How the rationales were sampled is not known here beyond what their publisher says."
    if any(manifest.source.overlaps.values()):
        yield f"Questions whose text also stands in an evaluation split: {counts(manifest.source.overlaps)}."
    elif not manifest.source.overlaps:
        yield "Nobody looked whether its questions stand in evaluation splits of yours."
    if manifest.source.dropped:
        yield f"Questions of the source that are not in it: {counts(manifest.source.dropped)}."
    yield "A model's text may repeat what it was trained on and the prejudice in it; nothing here filters that."
    if manifest.imported is None and not is_fake(manifest):
        yield "The teacher's own licence or terms of use may bind what is done with its text: look them up."
    elif manifest.imported is not None:
        yield "If a model wrote the rationales, its own licence or terms may bind their use too: look them up."


def source_lines(manifest: Manifest, licence: Licence) -> list[str]:
    """What it was made of, with the licences as stated, and how that of the release
    follows.
    """
    rows = [_questions(manifest)]
    if (entry := manifest.imported) is not None:
        rows.append(
            (
                "rationales",
                inline(entry.made_by),
                inline(entry.licence),
                inline(entry.url or "not stated"),
            )
        )
    elif not is_fake(manifest):
        rows.append(("rationales", code(manifest.teacher), "see the teacher's own", ""))
    name = f"{code(licence.id)}" + (
        f" ({inline(licence.name)})" if licence.name else ""
    )
    return [
        "## Sources and licences",
        "",
        *table(("part", "what it is", "licence as stated", "where"), rows),
        "",
        *(f"- {split}" for split in _checksums(manifest)),
        "",
        f"Licence of this release: {name}.",
        "",
        *(f"- {inline(line)}" for line in (*licence.lines, NOT_ADVICE)),
        "",
    ]


def _questions(manifest: Manifest) -> tuple[str, ...]:
    source = manifest.source
    where = code(source.hub_id) if source.hub_id is not None else "a file"
    where = "ships with cotbuild" if source.dataset == "bundled" else where
    return (
        "questions",
        inline(source.dataset),
        inline(source.licence or "unknown: nobody says"),
        where,
    )


def _checksums(manifest: Manifest) -> Iterator[str]:
    for split, checksum in manifest.source.checksums.items():
        yield f"questions, split {inline(split)}: {code(checksum)}"
