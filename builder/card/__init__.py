"""The card: README.md of a build and of a release."""

from cotbuild.builder.card.front_matter import (
    MODELS,
    ReleaseFacts,
    build_front_matter,
    config_has_images,
    dataset_features,
    dump_yaml,
    parse_front_matter,
    record_model,
    rows_by_split,
    split_card,
)
from cotbuild.builder.card.licences import Licence, combine_licences
from cotbuild.builder.card.markdown import code_span, inline_text
from cotbuild.builder.card.page import CARD_VERSION, render_card
from cotbuild.builder.card.plots import draw_pictures, word_lengths

__all__ = [
    "CARD_VERSION",
    "MODELS",
    "Licence",
    "ReleaseFacts",
    "build_front_matter",
    "code_span",
    "combine_licences",
    "config_has_images",
    "dataset_features",
    "draw_pictures",
    "dump_yaml",
    "inline_text",
    "parse_front_matter",
    "record_model",
    "render_card",
    "rows_by_split",
    "split_card",
    "word_lengths",
]
