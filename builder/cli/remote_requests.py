"""Requests for jobs from the options of the command line.

Each function takes a client first, which uploads the files of this machine, and returns
the request of the command of its name.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotbuild.builder.cli.remote import target_name
from cotbuild.schemas.attribution import AttributionMethod
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.training import TrainConfig

if TYPE_CHECKING:
    from cotbuild.builder.client import Client

Request = dict[str, Any]


def generate_request(
    client: "Client",
    config: BuildConfig,
    out: Path,
    *,
    budget: Budget | None = None,
    retry_failed: bool = False,
    allow_unscored: bool = False,
    api_key_from: str | None = None,
) -> Request:
    """`cotbuild generate`."""
    request = {
        "kind": "generate",
        "target": target_name(out, "--out"),
        "config": _uploaded(client, config),
        "retry_failed": retry_failed,
        "allow_unscored": allow_unscored,
        "api_key_from": api_key_from,
    }
    if budget is not None and budget != Budget():
        request["budget"] = budget.model_dump(mode="json")
    return request


def import_request(client: "Client", config: BuildConfig, out: Path) -> Request:
    """`cotbuild import`."""
    return {
        "kind": "import",
        "target": target_name(out, "--out"),
        "config": _uploaded(client, config),
    }


def variants_request(
    client: "Client",
    directory: Path,
    *,
    only: Sequence[str],
    spec_files: Sequence[Path],
    filters: Sequence[str],
    seed: int,
    files: Sequence[str],
) -> Request:
    """`cotbuild variants`. Files of variants are read here and sent as data."""
    from cotbuild.builder.variants.registry import (
        builtin_variants,
        parse_selection,
        read_variants,
    )

    specs: list[dict[str, Any]] = []
    known = builtin_variants()
    for file in spec_files:
        own = read_variants(file, known)
        known = known | {spec.name: spec for spec in own}
        specs += [spec.model_dump(mode="json") for spec in own]
    return {
        "kind": "variants",
        "target": target_name(directory, "DIR"),
        "variants": list(only),
        "specs": specs,
        "selection": parse_selection(filters).model_dump(mode="json"),
        "seed": seed,
        "files": _named_files(client, files),
    }


def publish_request(
    client: "Client",
    directory: Path,
    repo: str,
    *,
    files: Sequence[str],
    source: str | None,
    **options: Any,
) -> Request:
    """`cotbuild publish`; `options` are fields of the request."""
    from cotbuild.builder.client.uploads import upload_source

    return {
        "kind": "publish",
        "target": target_name(directory, "DIR"),
        "repo": repo,
        "files": _named_files(client, files),
        "source": None if source is None else upload_source(source, client.upload_file),
        **options,
    }


def train_request(
    client: "Client",  # noqa: ARG001
    config: TrainConfig,
    build: str,
    out: Path | None,
) -> Request:
    """`cotbuild train`."""
    from cotbuild.builder.client.uploads import check_model

    check_model(config.student, "--student")
    return {
        "kind": "train",
        "target": target_name("" if out is None else out, "--out"),
        "build": target_name(build, "SOURCE"),
        "config": config.model_dump(mode="json"),
    }


def evaluate_request(
    client: "Client",
    student: str,
    out: Path | None,
    *,
    source: str | None,
    spec: Path | None,
    rationales_from: Path | None,
    mapping: Mapping[str, str],
    **options: Any,
) -> Request:
    """`cotbuild evaluate`. A student with a name of one part is a run on the service.

    A source that is a file here is uploaded, another name of one part is a build there
    unless it is that of a known dataset.
    """
    from cotbuild.builder.variants.registry import read_variants

    specs = [] if spec is None else read_variants(spec)
    is_model = student == "embedded" or "/" in student
    return {
        "kind": "evaluate",
        "target": target_name("" if out is None else out, "--out"),
        **({"model": student} if is_model else {"run": student}),
        **_questions(client, source),
        "spec": specs[0].model_dump(mode="json") if specs else None,
        "rationales_from": None if rationales_from is None else str(rationales_from),
        "mapping": dict(mapping),
        **options,
    }


def attribute_request(
    client: "Client",  # noqa: ARG001
    run: Path,
    source: str | None,
    *,
    method: AttributionMethod,
    bounds: Mapping[str, float | None],
    limit: int | None,
    batch_tokens: int | None,
) -> Request:
    """`cotbuild attribute`; `bounds` are the options of Integrated Gradients."""
    return {
        "kind": "attribute",
        "target": target_name(run, "RUN"),
        "build": None if source is None else target_name(source, "--source"),
        "method": method.value,
        **bounds,
        "limit": limit,
        "batch_tokens": batch_tokens,
    }


def study_request(
    client: "Client",  # noqa: ARG001
    path: Path,
    out: str | None,
    *,
    keep: bool,
) -> Request:
    """`cotbuild study run`: its folder has the name `out`, or that of the file's folder."""
    from cotbuild.builder.study.folder import read_study

    study = read_study(path).model_dump(mode="json")
    name = path.resolve().parent.name if out is None else out
    return {
        "kind": "study",
        "target": target_name(name, "--out"),
        "study": {**study, "source": target_name(study["source"], "source")},
        "keep": keep,
    }


def _uploaded(client: "Client", config: BuildConfig) -> dict[str, Any]:
    return client.upload_files_of(config).model_dump(mode="json")


def _named_files(client: "Client", files: Sequence[str]) -> dict[str, str]:
    """Return the files of NAME=PATH arguments as references."""
    from cotbuild.builder.client.uploads import upload_file
    from cotbuild.builder.variants.registry import parse_file_arguments

    return {
        name: upload_file(str(path), client.upload_file)
        for name, path in parse_file_arguments(files).items()
    }


def _questions(client: "Client", source: str | None) -> dict[str, str]:
    from cotbuild.builder.client.uploads import upload_source
    from cotbuild.builder.sources.datasets import KNOWN_DATASETS
    from cotbuild.schemas.config import BUNDLED

    if source is None:
        return {}
    uploaded = upload_source(source, client.upload_file)
    is_dataset = source in BUNDLED or source in KNOWN_DATASETS
    is_name = uploaded == source and not is_dataset and not set("/:@,=") & set(source)
    return {"build": source} if is_name else {"source": uploaded}
