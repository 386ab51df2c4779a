"""The card: README.md of a build and of a release."""

from cotbuild.builder.card.escape import code, inline
from cotbuild.builder.card.front import (
    MODELS,
    as_yaml,
    features,
    front_matter,
    model_of,
    read_front_matter,
)
from cotbuild.builder.card.licences import Licence, licence_of
from cotbuild.builder.card.page import card
from cotbuild.builder.card.pictures import pictures, word_lengths
from cotbuild.builder.card.release import ReleaseFacts

__all__ = [
    "MODELS",
    "Licence",
    "ReleaseFacts",
    "as_yaml",
    "card",
    "code",
    "features",
    "front_matter",
    "inline",
    "licence_of",
    "model_of",
    "pictures",
    "read_front_matter",
    "word_lengths",
]
