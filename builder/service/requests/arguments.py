"""The arguments of each command, from the values of a request.

The values are those of `resolve_request`: plain, with paths in place of references. What
is long goes into files of the job's folder. Every text of a client is the value of an
option or comes after `--`, so that none is taken for an option.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from cotbuild.builder.service.requests.rules import root_path
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import write_error, write_text_atomic
from cotbuild.schemas.variant import Selection

Values = Mapping[str, Any]
_NOT_PLAIN = re.compile(r"[^ -~]")


class JobFiles:
    """The files of a job, by the paths that its process knows them by.

    Args:
        folder: The folder of the job.
        settings: Those of the service.
        is_plan: Whether nothing may be written to the target.
    """

    def __init__(
        self, folder: Path, settings: ServiceSettings, *, is_plan: bool = False
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._is_plan = is_plan

    def path(self, name: str) -> str:
        """Return the path of a file in the job's folder."""
        place = (self._folder / name).relative_to(self._settings.root)
        return root_path(place.as_posix())

    def write(self, name: str, value: Any) -> str:
        """Write settings into the job's folder and return their path; StoreError."""
        write_yaml(self._folder / name, value)
        return self.path(name)

    def write_to_target(self, target: str, name: str, value: Any) -> str:
        """Write settings into the folder of the target; raises StoreError."""
        if self._is_plan:
            return self.write(name, value)
        write_yaml(self._settings.target(target) / name, value)
        return root_path(f"{target}/{name}")


def write_yaml(path: Path, value: Any) -> None:
    """Write plain values as YAML that `parse_yaml` reads as the same values.

    Raises StoreError.
    """
    try:
        write_text_atomic(path, _yaml_text(value) + "\n")
    except OSError as fault:
        raise write_error(path, fault) from fault


def _yaml_text(value: Any, margin: str = "") -> str:
    """Return a value as JSON that is YAML 1.1 too.

    PyYAML's own writer loses some line breaks of Unicode, and JSON's writer leaves out
    the point that a number such as 1e-05 needs in YAML.
    """
    inner = f"{margin}  "
    if isinstance(value, Mapping):
        items = [
            f"{_yaml_text(str(key))}: {_yaml_text(item, inner)}"
            for key, item in value.items()
        ]
        return _enclosed("{", items, "}", margin)
    if isinstance(value, list | tuple):
        items = [_yaml_text(item, inner) for item in value]
        return _enclosed("[", items, "]", margin)
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        return _NOT_PLAIN.sub(lambda found: f"\\U{ord(found[0]):08x}", text)
    if isinstance(value, float) and "e" in (text := repr(value)) and "." not in text:
        return text.replace("e", ".0e")
    return json.dumps(value)


def _enclosed(opening: str, items: list[str], closing: str, margin: str) -> str:
    if not items:
        return opening + closing
    lines = ",\n".join(f"{margin}  {item}" for item in items)
    return f"{opening}\n{lines}\n{margin}{closing}"


def list_arguments(kind: str, values: Values, files: JobFiles) -> list[str]:
    """Return the command of a request and its arguments; raises StoreError."""
    return list(_COMMANDS[kind](values, files))


# -- builds ----------------------------------------------------------------------------


def _generate(values: Values, files: JobFiles) -> Iterator[str]:
    yield from ("generate", "--config", files.write("build.yaml", values["config"]))
    yield from ("--out", root_path(values["target"]))
    yield from _budget(values.get("budget"))
    for name in ("allow_unscored", "retry_failed"):
        yield from _switch(name, values.get(name))


def _budget(budget: Values | None) -> Iterator[str]:
    if budget is None:
        return
    for name in ("max_requests", "max_output_tokens", "max_cost"):
        yield from _option(name, budget[name])
    prices = budget["prices"]
    named = [("in", prices["input"]), ("out", prices["output"])]
    given = [f"{name}={_number(price)}" for name, price in named if price is not None]
    yield from _option("price", ",".join(given) or None)
    yield from _option("gpu_hour", prices["gpu_hour"])
    yield from _option("gpus", budget["gpus"])


def _variants(values: Values, files: JobFiles) -> Iterator[str]:
    yield "variants"
    specs = values["specs"]
    names = values["variants"] or [spec["name"] for spec in specs]
    if specs:
        content = {"variants": _declared(specs)}
        yield from ("--spec", files.write("variants.yaml", content))
    yield from _option("only", ",".join(names) or None)
    default = to_jsonable_python(dict(Selection()))
    for name, value in values["selection"].items():
        if value != default[name]:
            text = ",".join(value) if isinstance(value, list) else _number(value)
            yield from ("--filter", f"{name}={text}")
    yield from _option("seed", values["seed"])
    yield from _pairs("file", values["files"])
    yield from _last(root_path(values["target"]))


def _declared(specs: Iterable[Values]) -> list[dict[str, Any]]:
    """Return variants as a file declares them: a mix names parts that stand above it.

    Raises ConfigError if two parts or variants that differ have the same name.
    """
    declared: dict[str, dict[str, Any]] = {}
    for spec in specs:
        entry = dict(spec)
        parts = entry.pop("mix") or []
        for part in parts:
            _declare(declared, {**part["spec"], "mix": []})
        if parts:
            shares = {part["spec"]["name"]: part["share"] for part in parts}
            stated = ("name", "version", "about", "placement", "aligned", "format")
            entry = {name: entry[name] for name in stated} | {"mix": shares}
        _declare(declared, entry)
    return [
        {name: value for name, value in entry.items() if name != "mix" or value}
        for entry in declared.values()
    ]


def _declare(declared: dict[str, dict[str, Any]], entry: dict[str, Any]) -> None:
    name = entry["name"]
    plain = {key: value for key, value in entry.items() if key != "mix" or value}
    if declared.setdefault(name, plain) != plain:
        raise ConfigError(
            f"specs: two variants are named {name!r}, one perhaps a part of a mix. "
            "Rename one."
        )


def _publish(values: Values, files: JobFiles) -> Iterator[str]:  # noqa: ARG001
    yield "publish"
    for name in ("tag", "license", "message", "source"):
        yield from _option(name, values[name])
    yield from _option("configs", ",".join(values["configs"]) or None)
    yield from _option("language", ",".join(values["languages"]) or None)
    for name in ("private", "allow_partial", "move_tag", "dry_run"):
        yield from _switch(name, values[name])
    yield from _pairs("file", values["files"])
    yield from _last(root_path(values["target"]), values["repo"])


# -- students --------------------------------------------------------------------------


def _train(values: Values, files: JobFiles) -> Iterator[str]:  # noqa: ARG001
    config = dict(values["config"])
    yield "train"
    for name in ("variant", "student", "revision"):
        yield from _option(name, config.pop(name))
    for name, value in config.items():
        if value is not None:
            yield from ("--set", f"{name}={json.dumps(value)}")
    yield from ("--out", root_path(values["target"]))
    yield from _last(values["build"])


def _evaluate(values: Values, files: JobFiles) -> Iterator[str]:
    yield "evaluate"
    for name in ("split", "config_name", "variant", "revision", "limit", "base"):
        yield from _option(name, values[name])
    if values["spec"] is not None:
        content = {"variants": _declared([values["spec"]])}
        yield from ("--spec", files.write("variant.yaml", content))
        if values["variant"] is None:
            yield from _option("variant", values["spec"]["name"])
    yield from _option("source", values["build"] or values["source"])
    yield from _pairs("map", values["mapping"])
    yield from _switch("teacher_chains", values["teacher_rationales"])
    yield from _option("rationales_from", values["rationales_from"])
    yield from _option("batch_tokens", values["batch_tokens"])
    yield from _option("precision", values["precision"])
    yield from ("--out", root_path(values["target"]))
    yield from _last(values["run"] or values["model"])


def _attribute(values: Values, files: JobFiles) -> Iterator[str]:  # noqa: ARG001
    yield "attribute"
    yield from _option("source", values["build"])
    for name in (
        "method",
        "steps",
        "max_steps",
        "max_error",
        "min_rank_correlation",
        "limit",
        "batch_tokens",
    ):
        yield from _option(name, values[name])
    yield from _last(root_path(values["target"]))


def _study(values: Values, files: JobFiles) -> Iterator[str]:
    path = files.write_to_target(values["target"], "STUDY.yaml", values["study"])
    yield from ("study", "run")
    yield from _switch("keep", values["keep"])
    yield from _last(path)


_COMMANDS: Mapping[str, Callable[[Values, JobFiles], Iterator[str]]] = {
    "generate": _generate,
    # The command `import` makes a config of its options; here it is whole already.
    "import": _generate,
    "variants": _variants,
    "publish": _publish,
    "train": _train,
    "evaluate": _evaluate,
    "attribute": _attribute,
    "study": _study,
}


# -- options ---------------------------------------------------------------------------


def _option(name: str, value: Any) -> Iterator[str]:
    """Yield `--NAME=VALUE`, in one word so that no value is taken for an option."""
    if value is not None:
        yield f"--{name.replace('_', '-')}={_number(value)}"


def _number(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _switch(name: str, value: Any) -> Iterator[str]:
    if value:
        yield f"--{name.replace('_', '-')}"


def _pairs(option: str, values: Mapping[str, str]) -> Iterator[str]:
    for name, value in values.items():
        yield f"--{option}={name}={value}"


def _last(*words: str) -> Iterator[str]:
    """Yield the arguments that are no options."""
    yield "--"
    yield from words
