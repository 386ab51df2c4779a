"""Find the names of fields that a wrong one may be meant for."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

MAX_NAMES = 30
"""Most names of fields that an error lists."""
MIN_LIKENESS = 0.7
"""A name that is as like that of a field as this may be meant for it."""


def suggest_names(annotation: object, path: Sequence[int | str]) -> str:
    """Return a sentence about the names that could stand at a path, "" for none.

    `annotation` is a model, or a type that holds models, such as a union of them. `path`
    is the place of the unknown name as pydantic reports it: it has the index of an item
    of a list, and the tag of the form that was chosen of a union.
    """
    *parents, unknown = path
    models = _find_models(annotation, parents)
    names = list(dict.fromkeys(name for model in models for name in model.model_fields))
    close = get_close_matches(str(unknown), names, cutoff=MIN_LIKENESS)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    if len(models) != 1 or not names:
        # Of several models, a list would mix names of which some are wrong together.
        return ""
    place = "The fields there" if parents else "The fields"
    more = ", …" if len(names) > MAX_NAMES else ""
    return f"{place} are {', '.join(names[:MAX_NAMES])}{more}."


def _find_models(
    annotation: object, path: Sequence[int | str]
) -> list[type[BaseModel]]:
    """Return the models that may stand at a path below an annotation."""
    models = list(_models_in(annotation))
    for part in path:
        fields = [
            model.model_fields[part]
            for model in models
            if isinstance(part, str) and part in model.model_fields
        ]
        if fields:
            models = [
                model for field in fields for model in _models_in(field.annotation)
            ]
        else:
            # The index of an item, the key of a mapping or the tag of a form.
            models = [model for model in models if _has_tag(model, part)] or models
    return models


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield each model in an annotation, such as `X` of `list[X] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for part in get_args(annotation):
        yield from _models_in(part)


def _has_tag(model: type[BaseModel], tag: Any) -> bool:
    """Return whether a field of a model has a tag as one of its constant values."""
    return any(
        get_origin(field.annotation) is Literal and tag in get_args(field.annotation)
        for field in model.model_fields.values()
    )
