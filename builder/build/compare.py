"""Compare what a file of a build says with what it should say; name the first difference.

Pure. What is compared may come from a stranger, so values are shown shortened.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cotbuild.builder.build.directory import REBUILD
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.record import Record, short_repr


def check_equal(place: Path | str, what: str, actual: object, stated: object) -> None:
    """Raise DataError unless a value is the one that manifest.json states."""
    for path, actual_part, stated_part in differences(actual, stated, what):
        raise DataError(
            f"{place}: {path} is {short_repr(actual_part)}, but manifest.json says "
            f"{short_repr(stated_part)}. A file was changed after it was built. {REBUILD}"
        )


def differences(
    actual: Any, expected: Any, path: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Yield each part that differs, as (path, actual, expected).

    Records of one type, mappings with the same keys and lists of the same length are
    compared part by part. A count that only one of two mappings has is compared with 0.
    """
    if isinstance(actual, Record) and type(actual) is type(expected):
        yield from differences(dict(actual), dict(expected), path)
    elif _are_counts(actual) and _are_counts(expected):
        for key in dict.fromkeys([*actual, *expected]):
            yield from differences(
                actual.get(key, 0), expected.get(key, 0), f"{path}.{_shown(key)}"
            )
    elif _have_same_keys(actual, expected):
        for key in expected:
            yield from differences(actual[key], expected[key], f"{path}.{_shown(key)}")
    elif _have_same_length(actual, expected):
        for number, pair in enumerate(zip(actual, expected, strict=True)):
            yield from differences(*pair, f"{path}[{number}]")
    elif actual != expected or isinstance(actual, bool) != isinstance(expected, bool):
        yield path, actual, expected


def _shown(key: object) -> str:
    return key if isinstance(key, str) and key.isidentifier() else short_repr(key)


def _are_counts(value: Any) -> bool:
    """Whether a value maps names to counts, of which those of 0 may be left out."""
    if not isinstance(value, Mapping):
        return False
    return all(type(count) is int for count in value.values())


def _have_same_keys(actual: Any, expected: Any) -> bool:
    if not isinstance(actual, Mapping) or not isinstance(expected, Mapping):
        return False
    return actual.keys() == expected.keys()


def _have_same_length(actual: Any, expected: Any) -> bool:
    if not isinstance(actual, list | tuple) or not isinstance(expected, list | tuple):
        return False
    return len(actual) == len(expected)
