"""The only door to the Hugging Face Hub: datasets read, releases written and fetched."""

from cotbuild.builder.hub.read import HubFacts, HubRows, hub_facts, resolve_commit

__all__ = ["HubFacts", "HubRows", "hub_facts", "resolve_commit"]
