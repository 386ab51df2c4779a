"""Patterns of answer statements, for text as `folding.fold` leaves it.

Every pattern takes linear time, since teachers do emit 100 KB of one character: repeats
are possessive, bounded, or over characters that cannot follow them. Patterns named
LOW_ are for lower-case text. A literal first word keeps a scan fast.
"""

import re
from itertools import chain

from cotbuild.schemas.answers.folding import MARKS
from cotbuild.schemas.answers.folding import fold as fold
from cotbuild.schemas.answers.language_patterns import BECAUSE_WORDS, RATIONALE_HEADS

# --- what introduces an answer ---
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
LOW_CLAUSE_LEAD = re.compile(
    rf"[ *_\"'(>-]*+(?:(?:{_SO_THAT}|{_THE}|answer|option|choice){_GAP}){{0,6}}"
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
BECAUSE = re.compile(
    rf"[ \n,.:;。*_)\]\"'$>`}}-]*+(?:(?:because\b|{BECAUSE_WORDS}(?![a-z])):?[ ,]*+)?",
    re.IGNORECASE,
)

# --- what may be between the introduction and the answer ---
_MARKUP = (
    r"\\(?:text[a-z]{0,2}|math[a-z]{1,4}|mbox|boxed|fbox|emph) ?\{|\\(?![a-z])"
    r"|[ \n*_$\"'`<>(\[{}:=~#\u2190-\u21ff\u2610-\u2612\u2705\u2713\u2714\u27a1\ufe0f"
    r"\U0001f449\u2022"
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
TEXT_LEAD = re.compile(r"(?>(?:[ \n:=~]|- |\\(?=[ \n])|[*_]{1,3}(?=\s))*)")

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
    rf"|although|rather|due)\b|, {{0,2}}{BECAUSE_WORDS}(?![a-z])",
    re.IGNORECASE,
)

# --- choices ---
# Combining marks, such as Hindi vowels, belong to the word but are no \w.
_WORD = rf"[^\W_](?:[^\W_]|[{MARKS}])*+"
TOKEN = re.compile(rf"(?<!\w)[-+]?\d+(?:[.,:/]\d+)*%?|{_WORD}")
LABEL = re.compile(_WORD)
NUMBER_GOES_ON = re.compile(r"[.,:/-]\d|[%°]")
LETTER_GOES_ON = re.compile(r"[.,/-]\d|[%°]")
# A lone letter or number in place of a label: "F", "(f)", "7".
FOREIGN_LABEL = re.compile(
    r"[ \n*_$\"':]{0,6}(?:(?:[Oo]ption|[Cc]hoice) )?(?:[(\[*]{1,3}([A-Za-z0-9])[)\]*]{1,3}"
    r"|([B-HJ-Z])(?=[)\].:;!,*]|\s*\Z|\s*\n| because\b)|(\d)(?=[)\].;!*]?(?:\s*\Z|\s*\n)))"
)
AFTER_LETTER = re.compile(
    r"[)\]}>:*$`\"'_.,;!?<\\。](?!s\b)|\s*\Z|\s*\n"
    r"| +(?:because|since|as|due|which|and|or|given|based|but|not)\b| *[-(=/&$]"
    r"| *\\[\])]"
)
BESIDE = re.compile(r"[)\]*_$\"'`>}:=,.\s-]*+(?:\((?![a-z]\)))?")
AFTER_OPTION = re.compile(
    r"[\s*_$\"'`)\]}>-]*+(?:\Z|[.,:;!?(<\\/&。\u2705\u2713\u2714]|\n|\b(?:because|since|as|which|due|for"
    r"|given|and|or|but|not|when|if|is|are"
    r"|while|rather)\b)",
    re.IGNORECASE,
)
# A label that names the option whose text comes before it: "wood (B)", "wood, which is
# option B".
LABEL_BEHIND = re.compile(
    r"[)\]*_$\"'`} ]{0,8}(?:[,:] ?|- )?(?:(?:which|that) (?:is|would be|corresponds to) "
    r"|i\.e\.,? |so )?(?:the )?"
    r"(?:(?:[Oo]ption|[Cc]hoice|[Ll]etter|[Aa]nswer) [*_(\[\"']{0,4}([^\W_]{1,2})(?![\w'])"
    r"|[*_]{0,3}[(\[]([^\W_]{1,2})[)\]]"
    r"|(?<=is )[*_]{0,3}([A-HJ-Z])(?=[*_)]{0,4}(?:[.,;!\n]|\Z)))"
)
DENIED = re.compile(
    r"[)\]*_\"' ]*+(?:(?:is|are|would be|seems|looks) (?:also |clearly |definitely )?"
    r"(?:incorrect|wrong|not|false|unlikely|out|eliminated|excluded|possible|impossible"
    r"|a possibility)\b|(?:can|could|may|should) be (?:eliminated|ruled|excluded|rejected)"
    r"\b|(?:can|is|does|would|could)(?:n't| ?not)\b)"
)
CLAUSE_ENDS = re.compile(r"[)\]\"'*_>}$ ]*+(?:[.!?,;\n。]|\Z)")
NO_SINGLE = re.compile(
    r"(?:either|neither|both|none|nothing|unclear|unknown|undetermined|indeterminate"
    r"|impossible|unable|unavailable|n/a"
    r"|cannot|can't|one of|all of|any of|a combination|(?:also |still )?not (?:among"
    r"|provided|listed|available|in|given"
    r"|present|one|any|clear|possible|an|here|included|specified|explicit|explicitly"
    r"|directly|applicable|found|there"
    r"|known|obvious|straightforward)|it depends|depends|based on|dependent on"
    r"|contingent on|a matter of"
    r"|the same for|undecided|inconclusive"
    r"|debatable|subjective|ambiguous|(?:it is |it's )?(?:very |really )?(?:hard|difficult)"
    r" to (?:say|tell|determine|know|decide)|not enough|insufficient|unanswerable"
    r"|not sure|unsure|don't know|do not know)\b",
    re.IGNORECASE,
)
JOINED = re.compile(
    r"(?:,|/|&|\bor\b|\band\b)[ *_]{0,4}(?:(?:or|and)\b[ *_]{0,4})?"
    r"(?:(?:option|choice|either|maybe|perhaps|possibly) )?"
    r"(?:[(\[]([^\W_]{1,2})(?:[)\]]|\Z)|([A-Z])(?=[*:.),]|\s*\Z|\s+(?:and|or)\b))"
)
LISTED = re.compile(
    r"[^\n]{0,200}\n+[ *_>(\[-]*+([^\W_]{1,2})[)\]:.]"
    r"|[^\n.!?]{0,100}?(?<! not)(?<! than)(?<! of)(?<! unlike)(?<! over) "  # "B, not (C) as"
    r"[(\[*]{0,3}([^\W_]{1,2})[)\]](?= )"
)
JOINT = re.compile(r"[)\]*_\"' ]*+(?:,? ?\b(?:or|and) |/)(?:either |option )?")

# --- yes or no, lines ---

YES_NO = re.compile(
    r"(?:(?P<yes>yes|true)|(?P<no>no|false))(?![^\W_]|'\w)(?![ -](?:one|longer|idea|way"
    r"|single|such|clear|definitive|matter|doubt"
    r"|evidence)\b| ?(?:,? or|,? and|/) ?(?:yes|no|true|false)\b)",
    re.IGNORECASE,
)
TAG = re.compile(r"</?[a-z_]{1,20}>|<\|[a-z_]{1,24}\|>", re.IGNORECASE)
WORD = re.compile(r"[^\W_]")
NAMED_NONE = frozenset({"both", "neither", "none", "nothing"})
"""Words that say that there is no single answer, and may be the answer of a text."""
LINE = re.compile(r"[^\n]+")
LINE_LABEL = re.compile(r"(?:\A|\n)[ *_>(\[-]*+([^\W_]{1,2})[)\]:.]")
LOW_REFUSAL = re.compile(
    r"\W*(?:i |sorry|unknown|unsure|not |there is no|no answer|cannot|can't|it is not"
    r"|it depends|none\b)"
)
# "2. **Multiply**", "2) Multiply" and "2: Multiply" are steps, not numbers with units.
NUMBER_LINE = re.compile(
    r"[^\w.]*+(?:(?:negative|minus) )?\.?[0-9](?>(?:[.,]?[0-9])*)"
    r"(?!(?:\\?\.|[:)])[ *_]{0,6}\w)",
    re.IGNORECASE,
)
ARTICLES = ("a", "an", "the")
WHICH_BEFORE = re.compile(r",? (?:which|and (?:it|that|this))\Z")
OPENING_BRACKETS = ("(", "[", "{", "<")
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


def has_words(text: str, start: int = 0) -> bool:
    """Return whether a text holds a word from `start` on, tags aside."""
    return WORD.search(TAG.sub("", text[start:])) is not None
