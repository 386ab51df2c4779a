"""cotbuild.schemas."""

if not __name__.startswith("cotbuild."):
    raise ImportError(
        f"import cotbuild.schemas, not {__name__}: a second copy would have classes of its own"
    )
