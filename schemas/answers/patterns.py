"""Patterns of answer statements, for text as `folding.fold` leaves it.

Every pattern takes linear time, since teachers do emit 100 KB of one character: repeats
are possessive, bounded, or over characters that cannot follow them. Patterns named
LOW_ are for lower-case text. A literal first word keeps a scan fast.
"""

import re
from itertools import chain
from typing import NamedTuple

from cotbuild.schemas.answers.folding import MARKS
from cotbuild.schemas.answers.folding import fold as fold
from cotbuild.schemas.answers.language_patterns import QUESTION_HEADS, RATIONALE_HEADS
from cotbuild.schemas.question import QuestionKind

# --- the end of the teacher's turn, where an invented next one begins ---
LOW_RUN_ON = re.compile(
    r"\n[ >*_#-]*+(?:next )?(?:q|question|problem|exercise|human|user"
    rf"|instruction|{QUESTION_HEADS})(?: ?#?[0-9]{{1,3}})?[*_ ]{{0,4}}:"
    r"|<\|(?:im_end|im_start|end|endoftext|eot_id|user)\|>|</s>|<end_of_turn>|<eos>"
)
THINK = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)

# --- what introduces an answer ---
# "The answer must be a planet", which opens most PaLM rationales, is a demand and no
# answer, even if an option fits it.
_IS = r"(?:is|was|would be|will be|can only be|(?:must|should|has to|could) be(?! an? | the ))\b"
_SAYS = rf"(?:[*_]{{0,3}} ?[:=]|[ *_]{{1,4}}{_IS}(?: indeed\b)?|is(?=[a-z]\b))"
_PRAISE = (
    "correct",
    "best",
    "right",
    "final",
    "closest",
    "likely",
    "appropriate",
    "suitable",
    "accurate",
    "logical",
)


def _preceded(noun: str) -> str:
    """Return look-behinds for the text before `noun`, to put after it.

    A scan that starts from a literal word is three times as fast.
    """
    return "|".join(f"(?<={praise} {noun})" for praise in _PRAISE)


class Cue(NamedTuple):
    """Words or marks that introduce an answer."""

    rule: str
    """Id of the rule, recorded with each answer it reads."""
    pattern: re.Pattern[str]


LOW_CUES = tuple(
    Cue(rule, re.compile(pattern))
    for rule, pattern in (
        (
            "answer_is",
            rf"answer(?<!each answer)(?<!/answer)"  # "2 points/answer = 48"
            rf"(?:{_SAYS}|(?: choice| option| here| to (?:the|this) (?:question|problem)) {_IS}:?)",
        ),
        *(
            ("best_option", rf"{noun}(?:{_preceded(noun)}){_SAYS}")
            for noun in ("option", "choice", "match")
        ),
        ("hash_marks", r"#### ?"),
        ("boxed", r"\\(?:boxed|fbox)\{"),
        ("answer_tag", r"<answer>"),
    )
)
_SO = r"\b(?:so|therefore|thus|hence)\b,? "
# Letters only: "so it is stronger" is reasoning, and repeats an option in 9 of 9,650
# GPT-3 rationales on QuaRel.
_LETTER = (
    r"(?=[ *_(\"'\[]{0,5}(?:(?:option|choice) )?[(\[*]{0,3}(?!a )[^\W_](?![\w'-]))"
)
LOW_WEAK_CUES: dict[QuestionKind, tuple[Cue, ...]] = {
    QuestionKind.CHOICE: (
        Cue(
            "so_option",
            re.compile(_SO + r"(?:it (?:is|must be|should be|has to be))?" + _LETTER),
        ),
        Cue(
            "we_choose",
            re.compile(
                r"\b(?:we|i)(?: would|'d|'ll| will)? (?:choose|select|pick)\b:?"
                + _LETTER
            ),
        ),
    ),
    QuestionKind.YES_NO: (
        Cue(
            "so_yes_no",
            re.compile(_SO + r"(?:it is )?(?=[*_(\"']{0,3}(?:yes|no|true|false)\b)"),
        ),
        Cue(
            "closing_yes_no",
            re.compile(
                r"(?<=[.!?\n])"
                r"(?=[*_\"' ]{0,6}(?:yes|no|true|false)\b[.!*_\"' ]{0,4}\Z)"
            ),
        ),
    ),
    QuestionKind.NUMBER: (),
    QuestionKind.TEXT: (),
}
LOW_IS_CORRECT = re.compile(
    r" is (?:clearly |definitely |therefore |thus )?(?:the )?(?:only |most )?"
    r"(?:correct|best|right|accurate|likely|logical|appropriate|suitable)"
    r"(?:(?: and only)?(?: possible)? (?:answer|option|choice)\b| ?[.!\n]| ?\Z)"
)
LETTER_BEFORE = re.compile(
    r"(?:\b[Oo]ption |\b[Cc]hoice |\b[Aa]nswer "
    r"|[(\[*])[*(\[]{0,3}([^\W_]{1,2})[)\]*]{0,4}\Z|(?<![\w'])([B-Z])\Z"
)

# In this order, so that "it wears slowly, so the" loses only "so the". A repeated group
# is atomic as (?>(?:…)+) here and not as (?:…)++, which Python before 3.11.5 matches
# wrongly (github.com/python/cpython/issues/106052).
_GAP = r"(?:(?>(?:[ ,:;*_#\"'($`-]|(?<=[,:])\n)+)|\Z)"
_SO_THAT = (
    r"so|therefore|thus|hence|and|then|but|finally|overall|consequently|accordingly"
    r"|ultimately|to conclude|as a result"
    r"|(?:in )?(?:conclusion|summary)|this means(?: that)?|given (?:this|that)"
    r"|based on (?:this|that|the above)"
    r"(?: analysis)?|(?:we|i)(?: can| would)? (?:conclude|believe|think|say|choose)(?: that)?"
)
_THE = r"(?:the|my|our|your|this|that)(?: [a-z]{2,12}ly)?"
_CORRECT = (
    "final|closest|correct|best|right|only|most|likely|probable|appropriate|suitable"
    "|logical|plausible|accurate"
    "|reasonable|fitting|and|a|answer|option|choice"
)
LOW_LEAD = re.compile(
    r"(?<!\w)(?<!\w')(?=\w)(?:(?:final "
    rf"|correct )?answer{_GAP})?(?:(?:{_SO_THAT}){_GAP})*(?:(?:{_THE}){_GAP})?"
    rf"(?:(?:{_CORRECT}){_GAP})*\Z"
)
LOW_HEADING = re.compile(
    r"(?:\A|\n)[ *_#>-]*+(?:step \d{1,2}: ?)?(?:(?:final |correct )?answer"
    r"|conclusion)[ \n*_:]*+\Z"
)
SCAFFOLD = re.compile(
    r"[ *_#>\n-]*+(?:rationale|reasoning|explanation|solution|thought|thoughts"
    rf"|answer|{RATIONALE_HEADS})[*_ ]{{0,4}}[:\uff1a][*_ \n]*+",
    re.IGNORECASE,
)
BECAUSE = re.compile(r"[ \n,.:;*_)\]\"'$>`}-]*+(?:because\b:?[ ,]*+)?", re.IGNORECASE)

# --- what may be between the introduction and the answer ---
_MARKUP = (
    r"\\(?:text|textbf|mathrm|mathbf|mbox|boxed) ?\{|\\(?![a-z])|[ \n*_$\"'`<>(\[{:=~#"
)
_HEDGES = "most|likely|probably|definitely|clearly|simply|therefore|thus|indeed|that"
OPENING = re.compile(
    rf"(?>(?:{_MARKUP}-]|(?:option|choice|answer|letter|to|{_HEDGES})\b(?!['\w]))*)",
    re.IGNORECASE,
)
NUMBER_OPENING = re.compile(
    rf"(?>(?:{_MARKUP}]|(?:about|approximately|around|exactly|roughly|only|just"
    rf"|equal to|{_HEDGES})\b)*)",
    re.IGNORECASE,
)
TEXT_OPENING = re.compile(rf"(?>(?:{_MARKUP}]|- )*)")

# --- how far an answer reaches ---
# Where no space comes between sentences, a full stop of the script ends one.
_FINAL_MARKS = r"(?:[.!?]++(?=[\s\"'*)\]}<A-Z\u3040-\u9fff\uac00-\ud7a3]|\Z)|。)"
FINAL_MARKS = re.compile(_FINAL_MARKS)
# The look-behind keeps 100 KB of dots linear: a run of marks is tried from its first
# one only.
SENTENCE_END = re.compile(rf"(?<![.!?]){_FINAL_MARKS}|\n")
ABBREVIATION = re.compile(
    r"(?<!')\b(?:mr|mrs|ms|dr|st|mt|jr|sr|vs|e\.g|i\.e|[a-z]\.[a-z]|[a-z])\Z",
    re.IGNORECASE,
)
REASON = re.compile(
    r",? {0,2}\b(?:because|since)\b|, {0,2}(?:as|which|who|but|not|while|whereas"
    r"|although|rather|due)\b",
    re.IGNORECASE,
)

# --- choices ---
# Combining marks, such as Hindi vowels, belong to the word but are no \w.
_WORD = rf"[^\W_](?:[^\W_]|[{MARKS}])*+"
TOKEN = re.compile(rf"(?<!\w)[-+]?\d+(?:[.,:/]\d+)*%?|{_WORD}")
LABEL = re.compile(_WORD)
NUMBER_GOES_ON = re.compile(r"[.,:/-]\d|[%°]")
AFTER_LETTER = re.compile(
    r"[)\]}>:*$`\"'_.,;!?<\\。](?!s\b)|\s*\Z|\s*\n"
    r"| +(?:because|since|as|due|which|and|or|given|based|but|not)\b| *[-(=/&]"
)
BESIDE = re.compile(r"[)\]*_$\"'`>}:=,.\s-]*+(?:\((?![a-z]\)))?")
AFTER_OPTION = re.compile(
    r"[\s*_$\"'`)\]}>-]*+(?:\Z|[.,:;!?(<\\/&。]|\n|\b(?:because|since|as|which|due|for"
    r"|given|and|or|but|not|when|if|is|are"
    r"|while|rather)\b)",
    re.IGNORECASE,
)
DENIED = re.compile(
    r"[)\]*_\"' ]*+(?:is|are|would be) (?:incorrect|wrong|not|false|unlikely)\b"
)
CLAUSE_ENDS = re.compile(r"[)\]\"'*_>}$ ]*+(?:[.!?,;\n。]|\Z)")
NO_SINGLE = re.compile(
    r"(?:either|neither|both|none|nothing|unclear|unknown|undetermined|indeterminate"
    r"|impossible|unable|unavailable|n/a"
    r"|cannot|can't|one of|all of|any of|a combination|(?:also |still )?not (?:among"
    r"|provided|listed|available|in|given"
    r"|present|one|any|clear|possible|an|here|included|specified|explicit|explicitly"
    r"|directly|applicable|found|there"
    r"|known|obvious|straightforward))\b",
    re.IGNORECASE,
)
JOINED = re.compile(
    r"(?:,|/|&|\bor\b|\band\b)[ *_]{0,4}(?:(?:or|and)\b[ *_]{0,4})?(?:(?:option|choice|either) )?"
    r"(?:[(\[]([^\W_]{1,2})[)\]]|([A-Z])(?=[*:.),]|\s*\Z|\s+(?:and|or)\b))"
)
LISTED = re.compile(
    r"[^\n]{0,200}\n+[ *_>(\[-]*+([^\W_]{1,2})[)\]:.]"
    r"|[^\n.!?]{0,100}? [(\[*]{0,3}([^\W_]{1,2})[)\]](?= )"
)
JOINT = re.compile(r"[)\]*_\"' ]*+(?:,? ?\b(?:or|and) |/)(?:either |option )?")

# --- numbers ---
# A comma cannot come before a number, so that those of one number are read once. TeX's
# separators can, so their count is bounded.
_GROUPS = (
    r"(?=(?:,|\{,\}|\\,)[0-9]{3})"
    r"(?>(?:,[0-9]{3})*(?:(?:\{,\}|\\,)[0-9]{3}(?:,[0-9]{3})*){0,40})"
)
NUMBER = re.compile(
    r"(?<![\w.,:/^])(?P<sign>[-+]|(?:negative|minus) )?(?:[$£€¥] ?)?(?P<sign2>-)?"
    r"(?:(?P<digits>[0-9]{1,3}" + _GROUPS + r"(?![0-9])"
    r"|[0-9]++)(?P<decimals>\.[0-9]++)?"
    r"(?P<rest> [1-9][0-9]*+/[0-9]++|/[0-9]++)?|(?P<leading>\.[0-9]++))"
    r"(?!\w{0,20}[\d^]|[.,:/]\d|\{,| ?[*x] ?10\^)",
    re.IGNORECASE,
)
SCALE = re.compile(r" ?(thousand|million|billion)\b", re.IGNORECASE)
SCALES = {"thousand": 3, "million": 6, "billion": 9}

YES_NO = re.compile(
    r"(?:(?P<yes>yes|true)|(?P<no>no|false))(?![\w'])(?![ -](?:one|longer|idea|way"
    r"|single|such|clear|definitive|matter"
    r"|evidence)\b| ?(?:,? or|,? and|/) ?(?:yes|no|true|false)\b)",
    re.IGNORECASE,
)
TAG = re.compile(r"</?[a-z]{1,12}>", re.IGNORECASE)
LINE = re.compile(r"[^\n]+")
LINE_LABEL = re.compile(r"(?:\A|\n)[ *_>(\[-]*+([^\W_]{1,2})[)\]:.]")
LOW_REFUSAL = re.compile(
    r"\W*(?:i |sorry|unknown|unsure|not |there is no|no answer|cannot|can't|it is not"
    r"|it depends|none\b)"
)
NUMBER_LINE = re.compile(
    r"[^\w.]*+(?:(?:negative|minus) )?[0-9.,]*[0-9](?!\. *\w|\))", re.IGNORECASE
)
ARTICLES = ("a", "an", "the")
EDGE = " \n*_$\"'`<>()[]{}:=~#\\"


def sentence_end(text: str, start: int) -> int:
    """Return the end of the sentence at `start`, before its final mark.

    The point of an abbreviation ends none: "St. Louis", "J. K. Rowling".
    """
    # A run of marks may begin before `start`.
    first = FINAL_MARKS.match(text, start)
    marks = SENTENCE_END.finditer(text, start)
    for mark in chain([first] if first else [], marks):
        if mark[0] != "." or mark.end() == len(text):
            return mark.start()
        window_start = max(start, mark.start() - 8)
        if not ABBREVIATION.search(text, window_start, mark.start()):
            return mark.start()
    return len(text)


def clause(text: str, start: int) -> str:
    """Return the text from `start` to the end of the sentence.

    Or to the reason given for it, if that comes first.
    """
    end = sentence_end(text, start)
    reason = REASON.search(text, start + 1, end)
    return text[start : reason.start() if reason else end]
