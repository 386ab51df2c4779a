"""The card: README.md of a build, with the front matter that makes `load_dataset` see its configs."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import yaml

from cotbuild.builder.arrow import arrow_schema
from cotbuild.schemas.base import Record
from cotbuild.schemas.manifest import FileEntry, Manifest
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.recipe import ImportEntry
from cotbuild.schemas.variant import TrainingRow, VariantEntry, VariantsEntry

MODELS: dict[str, type[Record]] = {"rationales": Rationale, "questions": Question}
"""The record behind each config."""

ABOUT = {
    "rationales": "everything the teacher said, one row a question and sample, whatever the verdict",
    "questions": "evaluation questions, with targets, no rationale",
}


def model_of(manifest: Manifest, config_name: str) -> type[Record] | None:
    """The record behind a config; None: the build has no such config."""
    if manifest.variants and config_name in {entry.name for entry in manifest.variants.variants}:
        return TrainingRow
    return MODELS.get(config_name)


def about(manifest: Manifest, config_name: str) -> str:
    """One line on a config."""
    specs = manifest.variants.made.specs if manifest.variants else ()
    return next((spec.about for spec in specs if spec.name == config_name), ABOUT.get(config_name, ""))


def card(manifest: Manifest) -> str:
    """The whole README.md. Depends on the manifest but not on its `run`."""
    return f"---\n{as_yaml(front_matter(manifest))}---\n\n{_body(manifest)}"


def as_yaml(value: dict[str, Any]) -> str:
    """YAML that gives every text back. In ASCII: PyYAML writes U+0085 as it is and reads it as a space."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=False, width=1000)


def front_matter(manifest: Manifest) -> dict[str, Any]:
    """What the Hub and `datasets` read.

    For a local folder `datasets` keys its cache on `configs` and `dataset_info` alone, so a rebuilt folder would yield
    the old rows: each config's description carries the digest of its rows, which changes the key with them.
    """
    configs, infos = [], []
    for name in manifest.digests:
        splits = _by_split(entry for entry in manifest.files if entry.config_name == name)
        configs.append(
            {
                "config_name": name,
                "description": f"{about(manifest, name)}; digest {manifest.digests[name]}",
                "data_files": [{"split": s, "path": [e.path for e in files]} for s, files in splits.items()],
                **({"default": True} if name == "rationales" else {}),
            }
        )
        infos.append(
            {
                "config_name": name,
                "features": features(arrow_schema(model_of(manifest, name) or TrainingRow)),
                "splits": [
                    {
                        "name": split,
                        "num_bytes": sum(e.num_bytes for e in files),
                        "num_examples": sum(e.num_rows for e in files),
                    }
                    for split, files in splits.items()
                ],
            }
        )
    return {"configs": configs, "dataset_info": infos, "tags": ["cotbuild", "chain-of-thought", "distillation"]}


def _by_split(entries: Iterable[FileEntry]) -> dict[str, list[FileEntry]]:
    splits: dict[str, list[FileEntry]] = {}
    for entry in entries:
        splits.setdefault(entry.split, []).append(entry)
    return splits


def features(schema: pa.Schema) -> list[dict[str, Any]]:
    """An arrow schema in the form of `dataset_info.features`. Spelt out because importing `datasets` takes seconds."""
    return [{"name": field.name, **_feature(field.type)} for field in schema]


def _feature(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_list(kind):
        inner = _feature(kind.value_type)
        return {"list": inner.get("struct", inner.get("dtype", inner))}
    if pa.types.is_struct(kind):
        return {"struct": [{"name": f.name, **_feature(f.type)} for f in kind]}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind))}


def _body(manifest: Manifest) -> str:
    return "\n".join(
        [
            f"# {inline(manifest.title)}",
            "",
            _lead(manifest),
            "",
            *_table(("config", "split", "rows"), _config_rows(manifest)),
            "",
            "## Verdicts",
            "",
            *_table(("verdict", "rows", "share"), _verdict_rows(manifest)),
            "",
            f"Left out of the questions: {_counts(manifest.source.dropped)}. Unscored: {_counts(manifest.failures)}. "
            f"Flags: {_counts(manifest.flags)}. Target hidden or shown: {_counts(manifest.purposes)}.",
            "",
            *_target_section(manifest),
            *_variant_section(manifest.variants),
            *(_asked(manifest) if manifest.imported is None else _imported(manifest.imported)),
            f"- source: {', '.join(f'{inline(s)} {code(c)}' for s, c in manifest.source.checksums.items())}",
            f"- questions that also stand in an evaluation split: {_counts(manifest.source.overlaps)}",
            f"- build fingerprint: {code(manifest.fingerprint)}",
            "",
            "## Load",
            "",
            "```python",
            "from datasets import load_dataset",
            "",
            f'rows = load_dataset("PATH_OR_REPO", "rationales", split="{manifest.source.split}")',
            "```",
            "",
            "The licence of the questions is that of their source; this card does not grant one.",
            "",
        ]
    )


def _lead(manifest: Manifest) -> str:
    written = f"for {manifest.source.num_questions} questions of {inline(manifest.source.dataset)} "
    written += f"(split {inline(manifest.source.split)})"
    made = f"with cotbuild {inline(manifest.cotbuild)}. Nobody has checked them by hand; "
    if manifest.imported is not None:
        author = inline(manifest.imported.made_by)
        lead = f"Rationales by {author} {written}, published before and brought into this form {made}"
    else:
        lead = f"Rationales that a teacher model wrote {written}, {manifest.samples} a question, made {made}"
    return lead + "the verdict only compares the answer with the target."


def _asked(manifest: Manifest) -> list[str]:
    assert manifest.sampling is not None
    lines = [
        f"- teacher: {code(manifest.teacher)}" + _fake_note(manifest),
        f"- mode: {code(manifest.mode)}; templates: "
        + ", ".join(f"{code(t.template)} ({code(t.fingerprint[:12])})" for t in manifest.templates),
        f"- sampling: {code(manifest.sampling.model_dump_json())}; build seed {manifest.seed}",
    ]
    if drawn := manifest.exemplars:
        lines.append(f"- exemplars: {drawn.count} a prompt, drawn from {inline(drawn.split)} with seed {drawn.seed}")
    return ["## How the teacher was asked", "", *lines]


def _imported(entry: ImportEntry) -> list[str]:
    left_out = f"{entry.num_texts} texts = {entry.num_rationales} rows; left out: {_counts(entry.dropped)}"
    return [
        "## Where the rationales come from",
        "",
        f"- written by: {inline(entry.made_by)}; licence as stated: {inline(entry.licence)}",
        f"- published at: {inline(entry.url or 'not stated')}",
        f"- read with recipe {code(entry.recipe)} ({code(entry.fingerprint[:12])}): {left_out}",
        *(f"- file {inline(file.file)}: {file.num_rows} rows, sha256 {code(file.checksum)}" for file in entry.files),
        f"- questions without a rationale: {entry.num_questions_without}",
    ]


def _fake_note(manifest: Manifest) -> str:
    return " (a fake for tests: these rationales are made up)" if manifest.teacher.startswith("scripted:") else ""


def _config_rows(manifest: Manifest) -> list[tuple[str, ...]]:
    return [
        (code(name), inline(split), str(sum(entry.num_rows for entry in files)))
        for name in manifest.digests
        for split, files in _by_split(e for e in manifest.files if e.config_name == name).items()
    ]


def _verdict_rows(manifest: Manifest) -> list[tuple[str, ...]]:
    total = manifest.num_planned or 1
    return [(verdict, str(count), f"{100 * count / total:.1f} %") for verdict, count in manifest.verdicts.items()]


def _target_section(manifest: Manifest) -> list[str]:
    if not manifest.verdicts_by_target:
        return []
    rows = [
        (inline(target), str(sum(counts.values())), *(str(counts.get(verdict, 0)) for verdict in manifest.verdicts))
        for target, counts in manifest.verdicts_by_target.items()
    ]
    lead = "Keeping only correct rationales selects; this is what each target would keep."
    return ["By target:", "", *_table(("target", "rows", *manifest.verdicts), rows), "", lead, ""]


def _variant_section(entry: VariantsEntry | None) -> list[str]:
    if entry is None:
        return []
    made, header = entry.made, ("variant", "rows", "words", "names the target", "names another option", "what it is")
    rows: list[tuple[str, ...]] = [
        (code(found.name), str(found.num_rows), f"{found.words:.1f}", *_named(found), inline(spec.about))
        for found, spec in zip(entry.variants, made.specs, strict=True)
    ]
    return [
        "## Variants",
        "",
        f"Training rows made of the rationales with verdict {', '.join(made.selection.verdicts)}, seed {made.seed}. "
        f"Left out of {entry.num_in} rationales: {_counts(entry.dropped)}. All variants hold the same rationales, but "
        "those whose name ends in `_all`. Words are the mean of what a variant leaves of a rationale. The shares are "
        f"of the first {entry.num_looked_at} rows: those that name the target, or another option, word for word, and "
        "in brackets those that do by half of its word stems.",
        "",
        *_table(header, rows),
        "",
    ]


def _named(entry: VariantEntry) -> tuple[str, ...]:
    return (
        f"{100 * entry.names_target:.1f} % ({100 * entry.loosely_target:.1f} %)",
        f"{100 * entry.names_other:.1f} % ({100 * entry.loosely_other:.1f} %)",
    )


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [_line(header), _line(("---",) * len(header)), *map(_line, rows)]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{inline(name)} {count}" for name, count in counts.items()) or "none"


def inline(value: str) -> str:
    """Text that can stand anywhere on one line of Markdown without becoming markup."""
    flat = " ".join(value.split())
    return "".join("\\" + c if c in "\\`*_{}[]()<>#+!|~&$" else c for c in flat)


def code(value: str) -> str:
    """Text as a code span that stays inside its backticks and its table cell."""
    flat = " ".join(value.split()).replace("|", "¦")
    ticks = "`" * (1 + max((len(run) for run in _tick_runs(flat)), default=0))
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{ticks}{pad}{flat}{pad}{ticks}"


def _tick_runs(text: str) -> list[str]:
    return "".join(c if c == "`" else " " for c in text).split()
