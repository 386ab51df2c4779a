"""The card: README.md, of a build in its folder and of a release. Pure."""

from cotbuild.builder.card.asked import asked_lines, imported_lines
from cotbuild.builder.card.configs import config_table, example_lines
from cotbuild.builder.card.escape import code, counts, inline, table
from cotbuild.builder.card.figures import (
    figure_lines,
    selection_lines,
    target_lines,
    variant_lines,
    verdict_table,
)
from cotbuild.builder.card.front import as_yaml, front_matter, rows_by_split
from cotbuild.builder.card.limits import limit_lines, source_lines
from cotbuild.builder.card.release import ReleaseFacts
from cotbuild.builder.card.usage import cite_lines, load_lines, rebuild_lines
from cotbuild.schemas.manifest import Manifest


def card(manifest: Manifest, release: ReleaseFacts | None = None) -> str:
    """The whole README.md; without a release the short one of a build's folder.

    Nothing of the manifest's `run`.
    """
    body = _local(manifest) if release is None else _released(manifest, release)
    return (
        f"---\n{as_yaml(front_matter(manifest, release))}---\n\n"
        + "\n".join(body)
        + "\n"
    )


def _local(manifest: Manifest) -> list[str]:
    names = manifest.digests
    rows = [
        (code(n), inline(split), str(count))
        for n in names
        for split, count in rows_by_split(manifest, n).items()
    ]
    return [
        f"# {inline(manifest.title)}",
        "",
        lead(manifest),
        "",
        *table(("config", "split", "rows"), rows),
        "",
        "## Verdicts",
        "",
        *verdict_table(manifest),
        "",
        f"Left out of the questions: {counts(manifest.source.dropped)}. Unscored: {counts(manifest.failures)}. "
        f"Flags: {counts(manifest.flags)}. Target hidden or shown: {counts(manifest.purposes)}.",
        "",
        *target_lines(manifest),
        *variant_lines(manifest.variants),
        *(
            asked_lines(manifest)
            if manifest.imported is None
            else imported_lines(manifest.imported)
        ),
        f"- source: {', '.join(f'{inline(s)} {code(c)}' for s, c in manifest.source.checksums.items())}",
        f"- questions that also stand in an evaluation split: {counts(manifest.source.overlaps)}",
        f"- build fingerprint: {code(manifest.fingerprint)}",
        "",
        "## Load",
        "",
        *load_lines("PATH_OR_REPO", None, "rationales", manifest.source.split),
        "",
        "The licence of the questions is that of their source; this card does not grant one.",
    ]


def _released(manifest: Manifest, release: ReleaseFacts) -> list[str]:
    return [
        f"# {inline(manifest.title)}",
        "",
        *(
            [f"> **This release is partial**: {inline(release.partial)}", ""]
            if release.partial is not None
            else []
        ),
        lead(manifest),
        "",
        "## What is in it",
        "",
        *config_table(manifest),
        "",
        *example_lines(manifest, release),
        *_origin(manifest, release),
        *figure_lines(manifest, release.pictures),
        *selection_lines(manifest),
        *limit_lines(manifest),
        *source_lines(manifest, release.licence),
        *_usage(manifest, release),
    ]


def _origin(manifest: Manifest, release: ReleaseFacts) -> list[str]:
    lines = (
        asked_lines(manifest, whole=True)
        if manifest.imported is None
        else imported_lines(manifest.imported)
    )
    date = (
        [f"- released: {inline(release.published)}"]
        if release.published is not None
        else []
    )
    return [*lines, *date, f"- build fingerprint: {code(manifest.fingerprint)}", ""]


def _usage(manifest: Manifest, release: ReleaseFacts) -> list[str]:
    return [*rebuild_lines(manifest, release), *cite_lines(manifest, release)]


def lead(manifest: Manifest) -> str:
    """What it is, in three sentences."""
    written = f"for {manifest.source.num_questions} questions of {inline(manifest.source.dataset)} "
    written += f"(split {inline(manifest.source.split)})"
    made = (
        f"with cotbuild {inline(manifest.cotbuild)}. Nobody has checked them by hand; "
    )
    if manifest.imported is not None:
        author = inline(manifest.imported.made_by)
        said = f"Rationales by {author} {written}, published before and brought into this form {made}"
    else:
        said = f"Rationales that a teacher model wrote {written}, {manifest.samples} a question, made {made}"
    return said + "the verdict only compares the answer with the target."
