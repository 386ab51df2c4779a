"""Packages of an extra that may be missing, named in one line."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from cotbuild.schemas.errors import ConfigError


@contextmanager
def needed_packages(
    extra: str, packages: Collection[str], purpose: str
) -> Iterator[None]:
    """Raise ConfigError if an import inside lacks one of `packages`.

    `extra` is the extra of cotbuild that brings them, and `purpose` what needs them, as
    the beginning of a sentence such as `students need`. Other missing modules are bugs,
    and raise as they are.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in packages:
            raise
        raise ConfigError(
            f"{purpose} {package!r}, which is not installed. Install it with "
            f"pip install 'cotbuild[{extra}]'."
        ) from error
