"""The front matter of a card: what the Hub and `datasets` read. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import yaml

from cotbuild.builder.card.inputs import has_images
from cotbuild.builder.card.licences import Licence
from cotbuild.builder.card.markdown import one_line
from cotbuild.builder.storage.arrow_schema import arrow_schema
from cotbuild.builder.storage.images import (
    IMAGE_COLUMN,
    IMAGE_FEATURE,
    IMAGE_TYPE,
    is_image_column,
)
from cotbuild.schemas.config import BUNDLED
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.manifest import FileEntry, Manifest
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import ADDED_COLUMNS, Rationale
from cotbuild.schemas.record import Record, short_repr
from cotbuild.schemas.variant_rows import (
    MessagesRow,
    TrainingRow,
    row_model,
)
from cotbuild.schemas.yaml_text import parse_yaml

MODELS: dict[str, type[Record]] = {"rationales": Rationale, "questions": Question}
"""The record of each config that every build has."""

_DESCRIPTIONS = {
    "rationales": (
        "Everything the teacher wrote, one row per question and sample, "
        "whatever the verdict"
    ),
    "questions": "Evaluation questions with their targets, without rationales",
}
_SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
"""The bounds of the Hub's size categories."""


@dataclass(frozen=True)
class ReleaseFacts:
    """What the card of a release says beyond the manifest. None of it changes a row."""

    repo: str
    """What `load_dataset` is given: org/name, or the name of a folder."""
    licence: Licence
    rebuild: str
    """The commands that build it again, from `rebuild_commands`."""
    tag: str | None = None
    languages: tuple[str, ...] = ()
    """ISO 639 codes."""
    examples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The first row of each config as plain values."""
    pictures: Mapping[str, str] = field(default_factory=dict)
    """Path in the repository of each picture that `draw_pictures` returns."""
    partial: str | None = None
    """Why the release is incomplete; None: it is complete."""
    published: str | None = None
    """Date, ISO 8601."""


def record_model(manifest: Manifest, config_name: str) -> type[Record] | None:
    """Return the record that the rows of a config are; None if there is no such config."""
    variants = manifest.variants
    if variants is not None and config_name in [v.name for v in variants.variants]:
        specs = {spec.name: spec for spec in variants.made.specs}
        return row_model(specs[config_name])
    return MODELS.get(config_name)


def config_has_images(manifest: Manifest, config_name: str) -> bool:
    """Whether the rows of a config have a column of pictures."""
    if manifest.media is None:
        return False
    return record_model(manifest, config_name) in (*MODELS.values(), MessagesRow)


def config_schema(manifest: Manifest, config_name: str) -> pa.Schema:
    """Return the columns of a config, as the version that built it wrote them."""
    model = record_model(manifest, config_name) or TrainingRow
    columns = list(arrow_schema(model))
    if model in MODELS.values():
        columns = [
            column
            for column in columns
            if ADDED_COLUMNS.get(column.name, 1) <= manifest.row_version
        ]
    if config_has_images(manifest, config_name):
        columns.append(pa.field(IMAGE_COLUMN, IMAGE_TYPE))
    return pa.schema(columns)


def describe_config(manifest: Manifest, config_name: str) -> str:
    """Return the description of a config, one line."""
    specs = manifest.variants.made.specs if manifest.variants else ()
    for spec in specs:
        if spec.name == config_name:
            return spec.about
    return _DESCRIPTIONS.get(config_name, "")


def files_by_split(manifest: Manifest, config_name: str) -> dict[str, list[FileEntry]]:
    """Return the files of a config by split, in order."""
    splits: dict[str, list[FileEntry]] = {}
    for entry in manifest.files:
        if entry.config_name == config_name:
            splits.setdefault(entry.split, []).append(entry)
    return splits


def rows_by_split(manifest: Manifest, config_name: str) -> dict[str, int]:
    """Return the number of rows of a config by split."""
    return {
        split: sum(entry.num_rows for entry in files)
        for split, files in files_by_split(manifest, config_name).items()
    }


# -- YAML --------------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """Quotes text that is not plain ASCII, so that it holds no line break or `---`."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if text.isprintable() and text.isascii() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump_yaml(value: dict[str, Any]) -> str:
    """Return YAML in ASCII that preserves every text.

    PyYAML writes U+0085 unescaped and reads it as a space, hence ASCII.
    """
    return yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=float("inf")
    )


def parse_front_matter(text: str, where: str) -> dict[str, Any]:
    """Return the front matter of a card as plain values.

    `where` names the card in errors. Raises DataError if there is no front matter.
    """
    front_matter, _ = split_card(text, where)
    value = parse_yaml(front_matter, f"{where}: front matter", error=DataError)
    if not isinstance(value, dict):
        raise _front_matter_error(where, f"it is {short_repr(value)}, not a mapping")
    return value


def split_card(text: str, where: str) -> tuple[str, str]:
    """Return the text of a card's front matter, and what follows it.

    `where` names the card in errors. Raises DataError if there is no front matter.
    """
    first, _, rest = text.partition("\n")
    if first != "---":
        raise _front_matter_error(where, f"it begins with {first[:40]!r}, not '---'")
    front_matter, separator, body = rest.partition("\n---\n")
    if not separator:
        raise _front_matter_error(where, "it has no second line '---'")
    return front_matter, body


def _front_matter_error(where: str, reason: str) -> DataError:
    return DataError(
        f"{where}: no front matter could be read: {reason}. Delete the card and run "
        "generate again, or download it again."
    )


# -- what the Hub and `datasets` read ----------------------------------------------------


def build_front_matter(
    manifest: Manifest, release: ReleaseFacts | None = None
) -> dict[str, Any]:
    """Return the front matter of a build, or of a release, which adds licence and
    languages.

    For a local folder `datasets` keys its cache on `configs` and `dataset_info` alone,
    so that a rebuilt folder would yield the old rows. The description of each config
    therefore holds the digest of its rows.
    """
    kinds = _question_kinds(manifest)
    values: dict[str, Any] = {} if release is None else _release_values(release)
    values["pretty_name"] = one_line(manifest.title)
    values["size_categories"] = [
        size_category(sum(entry.num_rows for entry in manifest.files))
    ]
    values["task_categories"] = ["question-answering", "text-generation"]
    if manifest.has_only_prose:
        values["task_categories"] = ["text-generation"]
    if "choice" in kinds:
        values["task_categories"].insert(1, "multiple-choice")
        values["task_ids"] = ["multiple-choice-qa"]
    if has_images(manifest):
        values["task_categories"].append("image-text-to-text")
    values["source_datasets"] = [_source_dataset(manifest)]
    values["tags"] = ["cotbuild", "chain-of-thought", "distillation"]
    values["configs"] = [_config_entry(manifest, name) for name in manifest.digests]
    values["dataset_info"] = [
        _dataset_info(manifest, name) for name in manifest.digests
    ]
    return values


def _release_values(release: ReleaseFacts) -> dict[str, Any]:
    licence = release.licence
    values: dict[str, Any] = {"license": licence.id}
    if licence.id == "other":
        if licence.name is not None:
            values["license_name"] = licence.name
        if licence.link is not None:
            values["license_link"] = licence.link
    if release.languages:
        values["language"] = list(release.languages)
    return values


def _question_kinds(manifest: Manifest) -> set[str]:
    """Return the kinds of question that the manifest tells of."""
    kinds = {target.partition(":")[0] for target in manifest.verdicts_by_target}
    for template in manifest.templates:
        if template.content:
            kinds.add(str(template.content.get("kind")))
    return kinds


def _source_dataset(manifest: Manifest) -> str:
    """Return the source in the Hub's vocabulary: a dataset id, original or extended."""
    if manifest.source.dataset in BUNDLED:
        return "original"
    return manifest.source.hub_id or "extended"


def size_category(num_rows: int) -> str:
    """Return the Hub's category for a number of rows, such as `1K<n<10K`."""
    lower = None
    for power, upper in enumerate(_SIZES, start=3):
        if num_rows < 10**power:
            return f"n<{upper}" if lower is None else f"{lower}<n<{upper}"
        lower = upper
    return f"n>{lower}"


def _config_entry(manifest: Manifest, name: str) -> dict[str, Any]:
    description = describe_config(manifest, name).rstrip(".")
    entry: dict[str, Any] = {
        "config_name": name,
        "description": f"{description}; digest {manifest.digests[name]}",
        "data_files": [
            {"split": split, "path": [entry.path for entry in files]}
            for split, files in files_by_split(manifest, name).items()
        ],
    }
    if name == "rationales":
        entry["default"] = True
    return entry


def _dataset_info(manifest: Manifest, name: str) -> dict[str, Any]:
    splits = [
        {
            "name": split,
            "num_bytes": sum(entry.num_bytes for entry in files),
            "num_examples": sum(entry.num_rows for entry in files),
        }
        for split, files in files_by_split(manifest, name).items()
    ]
    features = dataset_features(config_schema(manifest, name))
    return {"config_name": name, "features": features, "splits": splits}


def dataset_features(schema: pa.Schema) -> list[dict[str, Any]]:
    """Return an Arrow schema in the form of `dataset_info.features`.

    Done here because importing `datasets` takes seconds.
    """
    return [{"name": field.name, **_column_feature(field)} for field in schema]


def _column_feature(field: pa.Field) -> dict[str, Any]:
    if is_image_column(field):
        return dict(IMAGE_FEATURE)
    return _feature(field.type)


def _feature(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_list(kind):
        inner = _feature(kind.value_type)
        return {"list": inner.get("struct", inner.get("dtype", inner))}
    if pa.types.is_struct(kind):
        return {"struct": dataset_features(kind)}
    name = str(kind)
    return {"dtype": "float64" if name == "double" else name}
