"""The card: README.md of a build and of a release."""

from cotbuild.builder.card.front import MODELS, as_yaml, card, code, features, front_matter, inline, model_of

__all__ = ["MODELS", "as_yaml", "card", "code", "features", "front_matter", "inline", "model_of"]
