"""Teachers behind an OpenAI-compatible HTTP server."""
