"""The fields of a request, each resolved by a rule.

A request may come from anybody with a token, and its settings were made for a command
line that trusts its user. So every field of every record in a request has a rule
(`table.RULES`), and one without a rule may hold nothing but its default: a field that is
added later is refused until somebody decides about it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.record import Record, short_repr


@dataclass(frozen=True)
class RequestContext:
    """For whom and when a request is looked at."""

    settings: ServiceSettings
    rules: "Rules"
    owner: str
    """Who submitted it."""
    is_starting: bool = False
    """Whether its process starts now, so that the folders it reads must exist. Before,
    a job in the queue may still make them.
    """


@dataclass(frozen=True)
class Field:
    """A field of a request while it is looked at."""

    place: str
    """Its name with the names of what it is in, such as `config.source.name`."""
    record: Record
    """The record that has it."""
    context: "RequestContext"

    @property
    def settings(self) -> ServiceSettings:
        """The settings of the service."""
        return self.context.settings


Rule = Callable[[Any, Field], Any]
"""Receives a value and returns what the command gets in its place, such as the path of
an upload. Raises ConfigError in one line that names the field.
"""
Rules = Mapping[type[Record], Mapping[str, Rule]]


def resolve_inside(value: Any, field: Field) -> Any:
    """Resolve the records inside a value, which may be one, or hold some."""
    if isinstance(value, Record):
        return resolve_record(value, field.place, field.context)
    if isinstance(value, tuple):
        return tuple(resolve_inside(item, field) for item in value)
    if isinstance(value, Mapping):
        return {key: resolve_inside(item, field) for key, item in value.items()}
    return value


def resolve_record(
    record: Record, place: str, context: RequestContext
) -> dict[str, Any]:
    """Return the fields of a record as the command gets them.

    `place` names the record. Raises ConfigError at the first field that may not hold
    what it holds.
    """
    rules = context.rules.get(type(record), {})
    resolved = {}
    for name, info in type(record).model_fields.items():
        value = getattr(record, name)
        path = f"{place}.{name}" if place else name
        rule = rules.get(name)
        if rule is not None:
            resolved[name] = rule(value, Field(path, record, context))
        elif value == info.get_default(call_default_factory=True):
            resolved[name] = resolve_inside(value, Field(path, record, context))
        else:
            raise ConfigError(
                f"{path} is {short_repr(value)}, which the service does not take. "
                "Leave it out, or run the command on the machine itself."
            )
    return resolved
