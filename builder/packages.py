"""Packages of an extra that may be missing, named in one line."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from cotbuild.schemas.errors import ConfigError


def missing_package(
    purpose: str, package: str, extra: str, instead: str = ""
) -> ConfigError:
    """Return the error for a package of the extra `extra` that is not installed.

    `purpose` is what needs it, as the beginning of a sentence such as `students need`;
    `instead` is what else may be done, such as `Leave near_duplicates out`.
    """
    return ConfigError(
        f"{purpose} the extra {extra!r}: {package} is not installed. "
        f"{install_advice(extra, instead)}"
    )


def install_advice(extra: str, instead: str = "") -> str:
    """Return the sentence that says how to install an extra, or what to do instead."""
    run = f"{instead}, or run" if instead else "Run"
    return f"{run} in a checkout of cotbuild: pip install '.[{extra}]'"


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
        raise missing_package(purpose, package, extra) from error
