"""The vLLM server that cotbuild starts itself."""
