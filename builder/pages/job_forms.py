"""The form of a new job: its fields by kind, and how what was typed becomes a request.

A field's name is the dotted path of a setting in the request. Whatever has no field is
written as YAML, of the same structure, and goes before the fields.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import yaml

from cotbuild.schemas.attribution import AttributionMethod
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.rationale import Verdict
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.service.job import JobKind
from cotbuild.schemas.yaml_text import parse_yaml

FieldKind = Literal["text", "integer", "number", "choice", "check", "list"]
MAX_YAML_CHARS: Final = 200_000
SETTINGS: Final = "settings"
"""Name of the field that holds YAML."""


@dataclass(frozen=True)
class FormField:
    """One field of the form."""

    path: str
    """Dotted path of the setting in the request."""
    label: str
    kind: FieldKind = "text"
    hint: str = ""
    choices: tuple[str, ...] = ()
    """Values of a choice; the first one is what an empty field means."""
    suggestions: str = ""
    """Name of the list of FormChoices that is offered while typing."""
    upload: bool = False
    """Whether a file may be given in place of a text."""
    required: bool = False
    is_wide: bool = False
    """Whether it takes half a row, not a quarter."""
    default: str = ""
    """What the command takes where nothing is typed, to be shown."""

    @property
    def id(self) -> str:
        """Id of the field on the page."""
        return self.path.replace(".", "-").replace("_", "-")


@dataclass(frozen=True)
class FormGroup:
    """Fields under one heading."""

    title: str
    fields: tuple[FormField, ...]
    is_optional: bool = False
    """Whether the group is folded while nothing in it is typed."""


def _target(label: str, suggestions: str = "", hint: str = "") -> FormField:
    return FormField("target", label, hint=hint, suggestions=suggestions, required=True)


_SOURCE: Final = FormGroup(
    "Questions",
    (
        FormField(
            "config.source.name",
            "Source",
            hint="A known dataset, a Hub id, a file that was uploaded or is listed.",
            suggestions="sources",
            upload=True,
            is_wide=True,
        ),
        FormField("config.source.config_name", "Config", hint="Of a Hub id."),
        FormField("config.source.split", "Split", default="train"),
        FormField("config.source.limit", "Limit", "integer", default="all"),
        FormField("config.source.sample", "Sample", "integer"),
        FormField("config.source.eval_splits", "Evaluation splits", "list"),
    ),
)
_PRIORITY: Final = FormField(
    "priority", "Priority", "integer", "Higher runs first.", default="0"
)
_RUNNING: Final = FormGroup("Running", (_PRIORITY,), is_optional=True)
_BUDGET: Final = FormGroup(
    "Budget, prices and priority",
    (
        FormField("budget.max_requests", "Maximum requests", "integer"),
        FormField("budget.max_output_tokens", "Maximum generated tokens", "integer"),
        FormField("budget.max_cost", "Maximum cost", "number"),
        FormField("budget.prices.input", "Price of 1M prompt tokens", "number"),
        FormField("budget.prices.output", "Price of 1M generated tokens", "number"),
        FormField("budget.prices.gpu_hour", "Price of a GPU hour", "number"),
        _PRIORITY,
    ),
    is_optional=True,
)

FORMS: Final[Mapping[JobKind, tuple[FormGroup, ...]]] = {
    JobKind.GENERATE: (
        FormGroup(
            "Build",
            (
                _target("Name of the build", "builds", "A new name, or one to go on with."),
                FormField(
                    "config.mode",
                    "Mode",
                    "choice",
                    choices=(
                        "elicit", "rationalize", "elicit-then-rationalize", "reflect",
                    ),
                    hint="Whether the teacher sees the target.",
                ),
                FormField("config.samples", "Samples per question", "integer", default="1"),
            ),
        ),
        _SOURCE,
        FormGroup(
            "Teacher",
            (
                FormField(
                    "config.teacher.model",
                    "Model",
                    hint="A Hub id, embedded, scripted, or the name that an endpoint has.",
                    suggestions="teachers",
                    required=True,
                ),
                FormField(
                    "config.teacher.endpoints",
                    "Endpoints",
                    "list",
                    "Addresses of servers that run already; else one is started here.",
                    suggestions="endpoints",
                ),
                FormField(
                    "api_key_from",
                    "Variable with the key",
                    hint="Its name, never the key itself.",
                    suggestions="variables",
                ),
                FormField("config.sampling.temperature", "Temperature", "number"),
                FormField("config.sampling.max_tokens", "Maximum new tokens", "integer"),
                FormField("config.seed", "Seed", "integer"),
            ),
        ),
        _BUDGET,
    ),
    JobKind.IMPORT: (
        FormGroup(
            "Build",
            (
                _target("Name of the build", "builds"),
                FormField(
                    "config.imported.files",
                    "File of rationales",
                    "list",
                    "Written elsewhere; its recipe is among the settings below.",
                    suggestions="sources",
                    upload=True,
                    required=True,
                    is_wide=True,
                ),
            ),
        ),
        _SOURCE,
        _RUNNING,
    ),
    JobKind.VARIANTS: (
        FormGroup(
            "Variants",
            (
                _target("Build", "builds"),
                FormField(
                    "variants", "Variants or sets", "list", "Empty for the default set."
                ),
                FormField(
                    "selection.verdicts",
                    "Verdicts to keep",
                    "list",
                    f"Of {', '.join(Verdict)}.",
                ),
                FormField("selection.share", "Share of the questions", "number", "0 to 1."),
                FormField("selection.min_words", "Fewest words", "integer"),
                FormField("selection.max_words", "Most words", "integer"),
                FormField("selection.per_question", "Most per question", "integer"),
                FormField("seed", "Seed", "integer"),
            ),
        ),
        _RUNNING,
    ),
    JobKind.PUBLISH: (
        FormGroup(
            "Release",
            (
                _target("Build", "builds"),
                FormField(
                    "repo", "Repo", hint="ORG/NAME.", suggestions="repos", required=True
                ),
                FormField("tag", "Tag", hint="Of this release, such as v1.0.0."),
                FormField("configs", "Variants", "list", "Empty for all."),
                FormField("license", "Licence", hint="Empty for what the sources allow."),
                FormField("message", "Commit message"),
                FormField("private", "Make a new repo private", "check"),
                FormField("allow_partial", "Although some requests failed", "check"),
                FormField("dry_run", "Only check", "check"),
            ),
        ),
        _RUNNING,
    ),
    JobKind.TRAIN: (
        FormGroup(
            "Training",
            (
                _target("Name of the run"),
                FormField("build", "Build", suggestions="builds", required=True),
                FormField("config.variant", "Variant", required=True),
                FormField("config.student", "Student", hint="Embedded or a Hub id."),
                FormField("config.rows", "Rows", "integer"),
                FormField("config.epochs", "Epochs", "number"),
                FormField("config.lr", "Learning rate", "number"),
                FormField("config.lora_rank", "LoRA rank", "integer"),
                FormField("config.seed", "Seed", "integer"),
            ),
        ),
        _RUNNING,
    ),
    JobKind.EVALUATE: (
        FormGroup(
            "Evaluation",
            (
                _target("Name of the results"),
                FormField("run", "Trained student", suggestions="runs"),
                FormField("model", "Or a model", hint="Embedded or a Hub id."),
                FormField("build", "Questions of a build", suggestions="builds"),
                FormField("source", "Or of a source", suggestions="sources"),
                FormField("split", "Split"),
                FormField("limit", "Only the first", "integer"),
                FormField(
                    "teacher_rationales", "Give it the teacher's rationales", "check"
                ),
            ),
        ),
        _RUNNING,
    ),
    JobKind.ATTRIBUTE: (
        FormGroup(
            "Attribution",
            (
                _target("Trained student", "runs"),
                FormField("build", "Build", suggestions="builds"),
                FormField(
                    "method",
                    "Method",
                    "choice",
                    choices=tuple(method.value for method in AttributionMethod),
                ),
                FormField("steps", "First steps", "integer"),
                FormField("limit", "At most", "integer", "Rationales."),
            ),
        ),
        _RUNNING,
    ),
    JobKind.STUDY: (
        FormGroup(
            "Study",
            (
                _target("Name of the study"),
                FormField("keep", "Keep the weights of finished cells", "check"),
            ),
        ),
        _RUNNING,
    ),
}  # fmt: skip

SETTINGS_HINTS: Final[Mapping[JobKind, str]] = {
    JobKind.IMPORT: "config:\n  imported:\n    recipe:\n      …",
    JobKind.STUDY: "study:\n  name: …\n  source: BUILD\n  …",
}
"""What the field of YAML shows while it is empty."""


def fields_of(kind: JobKind) -> list[FormField]:
    """Return the fields of a kind of job."""
    return [field for group in FORMS[kind] for field in group.fields]


def read_form(kind: JobKind, typed: Mapping[str, str]) -> dict[str, Any]:
    """Return the request that a form describes, as JSON.

    Empty fields are left out. Raises ConfigError in one line for a value that is none.
    """
    request: dict[str, Any] = {}
    for field in fields_of(kind):
        text = typed.get(field.path, "").strip()
        if text:
            put_value(request, field.path, parse_value(field, text))
    settings = read_settings(typed.get(SETTINGS, ""))
    merged = merge_values(request, settings)
    return {**merged, "kind": kind.value}


def parse_value(field: FormField, text: str) -> Any:
    """Return the value of a field; raises ConfigError if the text is none."""
    match field.kind:
        case "integer":
            return _parse_number(field, text, int, "a whole number")
        case "number":
            return _parse_number(field, text, float, "a number")
        case "check":
            return True
        case "list":
            parts = text.replace("\n", ",").split(",")
            return [part.strip() for part in parts if part.strip()]
        case "text" | "choice":
            return text


def _parse_number(
    field: FormField, text: str, kind: type[int] | type[float], what: str
) -> int | float:
    try:
        return kind(text.replace(",", "").replace("_", ""))
    except ValueError:
        raise ConfigError(
            f"{field.label} is {short_repr(text)}. Write {what}, or nothing."
        ) from None


def read_settings(text: str) -> dict[str, Any]:
    """Return the settings that were written as YAML; raises ConfigError."""
    if len(text) > MAX_YAML_CHARS:
        raise ConfigError(
            f"More settings have {len(text):,} characters; {MAX_YAML_CHARS:,} are accepted."
        )
    values = parse_yaml(text, "More settings")
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(
            f"More settings are {short_repr(values)}. Write NAME: VALUE, one a line."
        )
    return values


def put_value(values: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path, with the mappings on the way."""
    *outer, last = path.split(".")
    for name in outer:
        values = values.setdefault(name, {})
    values[last] = value


def merge_values(
    values: Mapping[str, Any], others: Mapping[str, Any]
) -> dict[str, Any]:
    """Return `values` with those of `others` in their place, mapping by mapping."""
    merged = dict(values)
    for name, value in others.items():
        before = merged.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[name] = merge_values(before, value)
        else:
            merged[name] = value
    return merged


def fill_form(kind: JobKind, request: Mapping[str, Any]) -> dict[str, str]:
    """Return what to type for a request: the opposite of `read_form`.

    What has no field becomes YAML.
    """
    rest = merge_values({}, request)
    rest.pop("kind", None)
    typed: dict[str, str] = {}
    for field in fields_of(kind):
        value = _take_value(rest, field.path.split("."))
        if value is not None and value != [] and value is not False:
            typed[field.path] = _format_value(value)
    kept = _without_empty(rest)
    if kept:
        typed[SETTINGS] = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)
    return typed


def _take_value(values: dict[str, Any], path: list[str]) -> Any:
    """Remove and return the value at a path; None if there is none."""
    name, *inner = path
    if not inner:
        return values.pop(name, None)
    if not isinstance(values.get(name), dict):
        return None
    values[name] = dict(values[name])
    return _take_value(values[name], inner)


def _format_value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "1" if value is True else str(value)


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return mappings without what has no value: nothing, or a mapping of nothing."""
    kept = {}
    for name, value in values.items():
        inner = _without_empty(value) if isinstance(value, dict) else value
        if inner is not None and inner != {} and inner != []:
            kept[name] = inner
    return kept


def suggestion_lists(kind: JobKind) -> Iterable[str]:
    """Return the names of the lists that the fields of a kind offer."""
    return sorted({field.suggestions for field in fields_of(kind) if field.suggestions})
