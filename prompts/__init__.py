"""cotbuild.prompts."""

if not __name__.startswith("cotbuild."):
    raise ImportError(
        f"import cotbuild.prompts, not {__name__}: a second copy would have classes of its own"
    )
