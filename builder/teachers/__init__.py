"""Teachers: one protocol and several ways to reach a model."""

from cotbuild.builder.teachers.identity import refuse_recorded, teacher_identity
from cotbuild.builder.teachers.open import open_teacher, refuse_published_key
from cotbuild.builder.teachers.vllm.weights import refuse_text_model, tokenizer_folder

__all__ = [
    "open_teacher",
    "refuse_published_key",
    "refuse_recorded",
    "refuse_text_model",
    "teacher_identity",
    "tokenizer_folder",
]
