"""cotbuild.student."""

if not __name__.startswith("cotbuild."):
    raise ImportError(
        f"import cotbuild.student, not {__name__}: a second copy would have classes of its own"
    )
