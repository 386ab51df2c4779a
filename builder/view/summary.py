"""One build: its counts, variants, settings, provenance, files, and how to load it."""

import json
from collections.abc import Iterator

from pydantic import Field

from cotbuild.builder.build.build import RATIONALES, StoredBuild
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.manifest import FailureGroup, FileEntry, Manifest
from cotbuild.schemas.record import Record
from cotbuild.schemas.variant_set import VariantEntry

MAX_TARGETS = 20
"""Most targets whose verdicts are listed."""


class VariantSummary(Record):
    """One variant of a build, and how much of the answer its rationales give away."""

    name: str = Field(description="Name of the variant and its config.")
    about: str = Field(description="What it is, in a sentence.")
    format: str = Field(description="text or messages.")
    splits: dict[str, int] = Field(description="Rows by split.")
    num_empty: int = Field(description="Rows whose rationale is empty.")
    words: float = Field(description="Mean words of a rationale.")
    names_target: float | None = Field(
        description="Share of rows whose rationale names the target; None if not measured."
    )
    names_other: float | None = Field(description="The same for another option.")


class NamedValue(Record):
    """A setting or a fact, as it is shown."""

    name: str = Field(description="What it is.")
    value: str = Field(description="Its value.")


class LoadSnippet(Record):
    """Code that loads a build."""

    title: str = Field(description="What it uses.")
    code: str = Field(description="The code.")


class BuildSummary(Record):
    """What the page of a build shows."""

    title: str = Field(description="Title of the card.")
    fingerprint: str = Field(description="Digest of its content.")
    row_version: int = Field(description="Version of the columns of its rationales.")
    is_release: bool = Field(description="Whether it was downloaded.")
    num_questions: int = Field(description="Questions that were asked.")
    num_rationales: int = Field(description="Rationales, whatever their verdict.")
    verdicts: dict[str, int] = Field(description="Rationales by verdict.")
    flags: dict[str, int] = Field(description="Rationales by flag.")
    purposes: dict[str, int] = Field(description="Rationales by purpose.")
    failures: dict[str, int] = Field(description="Unscored rationales by reason.")
    failure_messages: tuple[FailureGroup, ...] = Field(
        description="What servers said about failures."
    )
    by_target: dict[str, dict[str, int]] = Field(
        description="Verdicts by target, at most 20 targets."
    )
    rules: dict[str, dict[str, int]] = Field(
        description="Verdicts by the rule that read the answer."
    )
    rationale_chars: tuple[int, ...] = Field(
        description="Minimum, quartiles, maximum of the lengths of rationales; or empty."
    )
    completion_tokens: int = Field(description="Tokens generated for these rows.")
    splits: dict[str, dict[str, int]] = Field(description="Rows by config and split.")
    variants: tuple[VariantSummary, ...] = Field(description="Its variants.")
    num_looked_at: int = Field(description="Rows that leaks were measured on.")
    settings: tuple[NamedValue, ...] = Field(description="How it was asked.")
    provenance: tuple[NamedValue, ...] = Field(description="Where it comes from.")
    account: tuple[NamedValue, ...] = Field(description="What it took.")
    files: tuple[FileEntry, ...] = Field(description="Its files.")
    num_bytes: int = Field(description="Size of its files.")
    load: tuple[LoadSnippet, ...] = Field(description="How to load it.")


def summarise_build(build: StoredBuild, place: str) -> BuildSummary:
    """Return what the page of a build shows; `place` is where programs find the build."""
    manifest = build.manifest
    entry = manifest.variants
    by_target = sorted(
        manifest.verdicts_by_target.items(), key=lambda item: -sum(item[1].values())
    )
    return BuildSummary(
        title=manifest.title,
        fingerprint=manifest.fingerprint,
        row_version=manifest.row_version,
        is_release=build.is_release,
        num_questions=manifest.source.num_questions,
        num_rationales=manifest.num_planned,
        verdicts=manifest.verdicts,
        flags=manifest.flags,
        purposes=manifest.purposes,
        failures=manifest.failures,
        failure_messages=manifest.failure_messages,
        by_target=dict(by_target[:MAX_TARGETS]),
        rules=manifest.answer_rules,
        rationale_chars=tuple(manifest.rationale_chars),
        completion_tokens=manifest.completion_tokens,
        splits=_count_rows(manifest),
        variants=tuple(_summarise_variants(build)),
        num_looked_at=0 if entry is None else entry.num_looked_at,
        settings=tuple(_named(_settings(build))),
        provenance=tuple(_named(_provenance(manifest))),
        account=tuple(_named(_account(manifest))),
        files=tuple(manifest.files),
        num_bytes=sum(file.num_bytes for file in manifest.files),
        load=tuple(_load_snippets(build, place)),
    )


def _count_rows(manifest: Manifest) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for entry in manifest.files:
        splits = counts.setdefault(entry.config_name, {})
        splits[entry.split] = splits.get(entry.split, 0) + entry.num_rows
    return counts


def _summarise_variants(build: StoredBuild) -> Iterator[VariantSummary]:
    entry = build.manifest.variants
    if entry is None:
        return
    specs = {spec.name: spec for spec in entry.made.specs}
    rows = _count_rows(build.manifest)
    for variant in entry.variants:
        target, other = _leaks(variant, entry.num_looked_at)
        yield VariantSummary(
            name=variant.name,
            about=specs[variant.name].about,
            format=specs[variant.name].format.value,
            splits=rows.get(variant.name, {}),
            num_empty=variant.num_empty,
            words=variant.words,
            names_target=target,
            names_other=other,
        )


def _leaks(
    variant: VariantEntry, num_looked_at: int
) -> tuple[float | None, float | None]:
    if not num_looked_at:
        return None, None
    return variant.names_target, variant.names_other


# -- facts as pairs ------------------------------------------------------------------------

Facts = Iterator[tuple[str, object]]


def _named(facts: Facts) -> Iterator[NamedValue]:
    """Yield the facts that are known."""
    for name, value in facts:
        if value is None or value == "":
            continue
        text = f"{value:,}" if type(value) is int else str(value)
        yield NamedValue(name=name, value=text)


def _settings(build: StoredBuild) -> Facts:
    manifest = build.manifest
    sampling = manifest.sampling
    yield "teacher", manifest.teacher
    yield "mode", manifest.mode
    yield "samples per question", manifest.samples
    yield "seed", str(manifest.seed)
    if sampling is not None:
        yield "temperature", sampling.temperature
        yield "top-p", sampling.top_p
        yield "tokens at most", sampling.max_tokens
    for entry in manifest.templates:
        yield "template", entry.template
    if manifest.exemplars is not None:
        yield "exemplars", _plain_json(manifest.exemplars.model_dump(mode="json"))
    if manifest.variants is not None:
        selection = manifest.variants.made.selection
        verdicts = ", ".join(verdict.value for verdict in selection.verdicts)
        yield "variants of rationales with verdict", verdicts
        yield "seed of the variants", str(manifest.variants.made.seed)


def _provenance(manifest: Manifest) -> Facts:
    source = manifest.source
    yield "dataset", source.dataset
    yield "split", source.split
    yield "on the Hub", source.hub_id
    yield "licence", source.licence
    for split, checksum in source.checksums.items():
        yield f"source of {split}", checksum
    for reason, count in source.dropped.items():
        yield f"questions left out, {reason}", count
    for split, count in source.overlaps.items():
        yield f"questions also in {split}", count
    for split, line in source.read_as.items():
        yield f"read as, {split}", line
    if manifest.imported is not None:
        yield "rationales imported", manifest.imported.num_rationales
        yield "licence of the rationales", manifest.imported.licence
    yield "rules of grading", f"version {manifest.extract_version}"
    yield "metric of expressions", manifest.math_metric
    yield "scores by", manifest.prose_scorers
    for score in manifest.scores:
        yield f"mean {score.metric}", f"{score.mean:.2f} of {score.num_rows:,} answers"
    yield "written by", f"cotbuild {manifest.cotbuild}, pyarrow {manifest.pyarrow}"
    yield "fingerprint", manifest.fingerprint


def _account(manifest: Manifest) -> Facts:
    yield "tokens in these rows", manifest.completion_tokens
    run = manifest.run
    if run is None:
        return
    yield "finished", run.finished_at
    yield "seconds of the last run", round(run.elapsed_s, 1)
    yield "requests of the last run", run.asked
    yield "failures that a run would retry", run.open_failures
    account = getattr(run, "account", None)
    if account is not None:
        yield "requests in all", account.requests
        yield "prompt tokens", account.prompt_tokens
        yield "tokens generated", account.completion_tokens
        yield "GPU seconds", round(account.gpu_seconds, 1) or None
        yield "cost", account.cost
        yield "tokens not paid again", account.reused_completion_tokens or None


def _plain_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


# -- how to load it ------------------------------------------------------------------------


def _load_snippets(build: StoredBuild, place: str) -> Iterator[LoadSnippet]:
    folder, split = json.dumps(place), json.dumps(build.split)
    config = RATIONALES
    if build.specs:
        names = [spec.name for spec in build.specs]
        config = "post_cot" if "post_cot" in names else names[0]
    yield LoadSnippet(
        title="datasets",
        code="from datasets import load_dataset\n\n"
        f'rows = load_dataset({folder}, "{config}", split={split})',
    )
    yield LoadSnippet(
        title="pandas",
        code=f"import pandas\n\nrows = pandas.read_parquet({json.dumps(f'{place}/{RATIONALES}')})",
    )
    yield LoadSnippet(
        title="cotbuild",
        code=f"import cotbuild\n\nbuild = cotbuild.open({folder})\n"
        'right = [row for row in build.rationales() if row.verdict == "correct"]',
    )
    quoted = shell_quote(place)
    if config != RATIONALES:
        yield LoadSnippet(
            title="train a student",
            code=f"cotbuild train {quoted} {config} --out runs/mine",
        )
    yield LoadSnippet(title="check it", code=f"cotbuild verify {quoted}")
