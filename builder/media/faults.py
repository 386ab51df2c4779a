"""Why there is no picture, or none that can be used."""

from typing import NamedTuple


class BadImage(ValueError):
    """A picture cannot be used.

    The message is one clause that names the value, such as "the picture is animated:
    12 frames"; the caller says where it is.
    """


class NotFetched(NamedTuple):
    """Why a URL gave no picture, in one clause."""

    reason: str
    is_final: bool
    """False where a later run may succeed."""
