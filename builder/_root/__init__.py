"""Build teacher-rationale datasets with vLLM."""

if __name__ != "cotbuild":
    raise ImportError(f"import cotbuild, not {__name__}")
