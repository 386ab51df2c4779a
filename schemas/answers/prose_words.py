"""The words of prose in any script, and how BLEU is to tokenize a language. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from cotbuild.schemas.answers.scripts import HAN, KANA, THAI_TO_KHMER, UNSPACED

Tokenizer = Literal["13a", "intl", "zh", "char"]
"""A tokenizer of sacrebleu's BLEU that needs no further package."""

_JUDGED_CHARS = 2_000
"""Characters of a text that show in which script it is written."""
_LETTER = re.compile(r"[^\W\d_]")
_HAN_LETTER = re.compile(f"[{HAN}]")
_OTHER_UNSPACED_LETTER = re.compile(f"[{KANA}{THAI_TO_KHMER}]")
_HANGUL_LETTER = re.compile("[\u1100-\u11ff\uac00-\ud7af]")
_WORD = re.compile(f"[{UNSPACED}]|[^\\W_{UNSPACED}]+")


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case.

    A word is a run of letters and digits; of a script without spaces, each character.
    """
    return _WORD.findall(text.lower())


def find_tokenizer(references: Sequence[str]) -> Tokenizer:
    """Return the tokenizer for references, by the script that most of them is in.

    It is `zh` for Chinese, `char` for Japanese and other languages that are written
    without spaces, `intl` for Korean, and `13a`, sacrebleu's default, for others.
    MeCab, which sacrebleu takes for Japanese and Korean, is not needed.
    """
    text = "\n".join(reference[:_JUDGED_CHARS] for reference in references)
    num_letters = len(_LETTER.findall(text))
    num_han = len(_HAN_LETTER.findall(text))
    num_other_unspaced = len(_OTHER_UNSPACED_LETTER.findall(text))
    if 2 * (num_han + num_other_unspaced) > num_letters:
        return "char" if num_other_unspaced else "zh"
    if 2 * len(_HANGUL_LETTER.findall(text)) > num_letters:
        return "intl"
    return "13a"


def find_corpus_tokenizer(references: Iterable[Sequence[str]]) -> Tokenizer:
    """Return the tokenizer of most texts of a corpus; of equally many, the first."""
    tokenizers = Counter(map(find_tokenizer, references))
    return tokenizers.most_common(1)[0][0] if tokenizers else "13a"
