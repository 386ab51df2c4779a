"""The installed version of cotbuild."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache  # it looks through all of sys.path, and every page shows it
def cotbuild_version() -> str:
    """Return the installed version, or 0+checkout where it was never installed."""
    try:
        return version("cotbuild")
    except PackageNotFoundError:
        return "0+checkout"
