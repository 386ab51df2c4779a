"""The front matter: what the Hub and `datasets` read of a card. Pure."""

from typing import Any

import pyarrow as pa
import yaml

from cotbuild.builder.card.escape import flat
from cotbuild.builder.card.release import ReleaseFacts
from cotbuild.builder.storage.parquet import arrow_schema
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.manifest import FileEntry, Manifest
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.record import Record
from cotbuild.schemas.variant import TrainingRow

MODELS: dict[str, type[Record]] = {"rationales": Rationale, "questions": Question}
"""The record behind each config."""

ABOUT = {
    "rationales": "everything the teacher said, one row a question and sample, whatever the verdict",
    "questions": "evaluation questions, with targets, no rationale",
}


def model_of(manifest: Manifest, config_name: str) -> type[Record] | None:
    """The record behind a config; None: the build has no such config."""
    if manifest.variants and config_name in {
        entry.name for entry in manifest.variants.variants
    }:
        return TrainingRow
    return MODELS.get(config_name)


def about(manifest: Manifest, config_name: str) -> str:
    """One line on a config."""
    specs = manifest.variants.made.specs if manifest.variants else ()
    return next(
        (spec.about for spec in specs if spec.name == config_name),
        ABOUT.get(config_name, ""),
    )


class _Dumper(yaml.SafeDumper):
    """Quotes every text that is more than plain words, so that none holds a line break
    or a line of dashes.
    """

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if text.isprintable() and text.isascii() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent)


def as_yaml(value: dict[str, Any]) -> str:
    """YAML that gives every text back.

    In ASCII: PyYAML writes U+0085 as it is and reads it as a space.
    """
    return yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=float("inf")
    )


def read_front_matter(text: str, where: str) -> dict[str, Any]:
    """The front matter of a card as plain values.

    Raises DataError where there is none.
    """
    lines = text.split("\n")
    try:
        if lines[0] != "---":
            raise ValueError(f"begins with {lines[0][:40]!r}")
        found = yaml.safe_load("\n".join(lines[1 : lines.index("---", 1)]))
        if not isinstance(found, dict):
            raise ValueError(f"its front matter is a {type(found).__name__}")
    except (ValueError, yaml.YAMLError) as error:
        raise DataError(
            f"{where}: {' '.join(str(error).split())}. Expected a card with front matter."
        ) from error
    return found


def front_matter(
    manifest: Manifest, release: ReleaseFacts | None = None
) -> dict[str, Any]:
    """What the Hub and `datasets` read. A release adds its licence and languages; all
    else depends on the manifest.

    For a local folder `datasets` keys its cache on `configs` and `dataset_info` alone,
    so a rebuilt folder would yield the old rows: each config's description carries the
    digest of its rows, which changes the key with them.
    """
    kinds = _kinds(manifest)
    choice = "choice" in kinds
    return {
        **({} if release is None else _of_release(release)),
        "pretty_name": flat(manifest.title),
        "size_categories": [_size(sum(entry.num_rows for entry in manifest.files))],
        "task_categories": [
            "question-answering",
            *(["multiple-choice"] if choice else []),
            "text-generation",
        ],
        **({"task_ids": ["multiple-choice-qa"]} if choice else {}),
        "source_datasets": [_source(manifest)],
        "tags": ["cotbuild", "chain-of-thought", "distillation"],
        "configs": [_config(manifest, name) for name in manifest.digests],
        "dataset_info": [_info(manifest, name) for name in manifest.digests],
    }


def _of_release(release: ReleaseFacts) -> dict[str, Any]:
    licence = release.licence
    named = (
        {"license_name": licence.name, "license_link": licence.link}
        if licence.id == "other"
        else {}
    )
    return {
        "license": licence.id,
        **{key: value for key, value in named.items() if value is not None},
        **({"language": list(release.languages)} if release.languages else {}),
    }


def _kinds(manifest: Manifest) -> set[str]:
    """Kinds of the questions, as far as the manifest tells: those with few targets, and
    those of the templates.
    """
    by_target = {target.partition(":")[0] for target in manifest.verdicts_by_target}
    return by_target | {
        str(template.content.get("kind"))
        for template in manifest.templates
        if template.content
    }


def _source(manifest: Manifest) -> str:
    """In the Hub's vocabulary: the id of the dataset there, `original` for our own,
    else `extended`.
    """
    if manifest.source.dataset == "bundled":
        return "original"
    return manifest.source.hub_id or "extended"


def _size(rows: int) -> str:
    """The Hub's category of a number of rows."""
    bounds = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"]
    above = next((i for i in range(len(bounds)) if rows < 10 ** (3 + i)), len(bounds))
    if above == 0:
        return "n<1K"
    return "n>1T" if above == len(bounds) else f"{bounds[above - 1]}<n<{bounds[above]}"


def _config(manifest: Manifest, name: str) -> dict[str, Any]:
    return {
        "config_name": name,
        "description": f"{about(manifest, name).rstrip('.')}; digest {manifest.digests[name]}",
        "data_files": [
            {"split": split, "path": [entry.path for entry in files]}
            for split, files in splits_of(manifest, name).items()
        ],
        **({"default": True} if name == "rationales" else {}),
    }


def _info(manifest: Manifest, name: str) -> dict[str, Any]:
    return {
        "config_name": name,
        "features": features(arrow_schema(model_of(manifest, name) or TrainingRow)),
        "splits": [
            {
                "name": split,
                "num_bytes": sum(entry.num_bytes for entry in files),
                "num_examples": sum(entry.num_rows for entry in files),
            }
            for split, files in splits_of(manifest, name).items()
        ],
    }


def splits_of(manifest: Manifest, config_name: str) -> dict[str, list[FileEntry]]:
    """The files of a config by split, in order."""
    splits: dict[str, list[FileEntry]] = {}
    for entry in manifest.files:
        if entry.config_name == config_name:
            splits.setdefault(entry.split, []).append(entry)
    return splits


def rows_by_split(manifest: Manifest, config_name: str) -> dict[str, int]:
    """Rows of a config by split."""
    found = splits_of(manifest, config_name)
    return {
        split: sum(entry.num_rows for entry in files) for split, files in found.items()
    }


def features(schema: pa.Schema) -> list[dict[str, Any]]:
    """An arrow schema in the form of `dataset_info.features`.

    Spelt out because importing `datasets` takes seconds.
    """
    return [{"name": field.name, **_feature(field.type)} for field in schema]


def _feature(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_list(kind):
        inner = _feature(kind.value_type)
        return {"list": inner.get("struct", inner.get("dtype", inner))}
    if pa.types.is_struct(kind):
        return {"struct": [{"name": f.name, **_feature(f.type)} for f in kind]}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind))}
