"""cotbuild.builder."""

if not __name__.startswith("cotbuild."):
    raise ImportError(
        f"import cotbuild.builder, not {__name__}: a second copy would have classes of its own"
    )
