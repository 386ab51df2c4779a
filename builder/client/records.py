"""Records in the answers of a service, which may be newer than this client.

A newer service may send fields that this version does not know. They are left out, so
that a client of an older version still works.
"""

from collections.abc import Mapping
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError

from cotbuild.schemas.errors import ServiceError
from cotbuild.schemas.event import EVENT, Event
from cotbuild.schemas.record import Record, explain_validation_error

R = TypeVar("R", bound=Record)


def receive(model: type[R], value: Any, where: str) -> R:
    """Return the record in an answer; raises ServiceError if it is none.

    `where` says what was asked for.
    """
    if not isinstance(value, Mapping):
        raise ServiceError(
            f"{where}: the answer is a {type(value).__name__}, not a {model.__name__}. "
            "Check that the address is that of a cotbuild service."
        )
    return model.parse(_known(model, value), where, ServiceError)


def receive_event(value: Any) -> Event | None:
    """Return an event; None for one of a kind that this version does not know."""
    if not isinstance(value, Mapping):
        return None
    models = {
        model.model_fields["event"].default: model
        for model in get_args(get_args(Event)[0])
    }
    model = models.get(value.get("event"))
    if model is None:
        return None
    try:
        return EVENT.validate_python(_known(model, value), strict=False)
    except ValidationError as fault:
        raise ServiceError(f"an event: {explain_validation_error(fault)}") from fault


def _known(model: type[Record], value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record that its class knows, also of records inside."""
    known = {}
    for name, info in model.model_fields.items():
        if name not in value:
            continue
        inner, item = _record_in(info.annotation), value[name]
        is_record = inner is not None and isinstance(item, Mapping)
        known[name] = _known(inner, item) if inner and is_record else item
    return known


def _record_in(annotation: Any) -> type[Record] | None:
    """Return the record class that a field holds one of; None for other fields."""
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation
    if get_origin(annotation) in (Union, UnionType):
        found = [model for part in get_args(annotation) if (model := _record_in(part))]
        return found[0] if len(found) == 1 else None
    return None
