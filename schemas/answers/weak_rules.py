"""The weak rules: words of reasoning that lead to an answer; see `rules`."""

import re
from functools import partial

from cotbuild.schemas.answers.cue_parts import (
    CORRECT,
    IS_CALLED,
    LETTER,
    SO,
    SO_IT_IS,
    YES_NO_WORD,
)
from cotbuild.schemas.answers.rule import (
    ALL,
    CHOICE,
    NOT_TEXT,
    NUMBER,
    YES_NO,
    Bound,
    Rule,
    Strength,
)

_weak_rule = partial(Rule, strength=Strength.WEAK)

WEAK_RULES = (
    _weak_rule(
        id="so_option",
        kinds=CHOICE,
        cues=(
            re.compile(
                SO + r"(?:it(?:'s| is| must be| should be| has to be))?" + LETTER
            ),
        ),
        reads="a letter behind “so”, “therefore”, “thus” or “hence”",
        example="Moss is soft, so (B).",
        closes=True,
    ),
    _weak_rule(
        id="we_choose",
        kinds=CHOICE,
        cues=(
            re.compile(
                r"\b(?:(?:we|i|let's)(?: would|'d|'ll| will| can| should| must)?"
                r" (?:(?:think|believe) (?:it's|it is)|choose|select|pick|go with|go for"
                r"|opt for|guess|say|vote for)|going with"
                r"|my (?:guess|pick|choice|selection) (?:is|would be))\b:?" + LETTER
            ),
        ),
        reads="a letter that the writer chooses",
        example="I'd go with B.",
        closes=True,
    ),
    _weak_rule(
        id="called_correct",
        bound=Bound.BEFORE,
        kinds=CHOICE,
        cues=(
            re.compile(
                rf"{IS_CALLED}(?:the )?(?:only |most )?{CORRECT}"
                r"(?:(?: and only)?(?: possible)? (?:answer|option|choice|match|one)\b"
                r"| ?[.!\n]| ?\Z)"
                rf"|{IS_CALLED}(?:the|my|our) (?:answer|choice)\b"
                r"| (?:fits|works|matches) best\b| makes (?:the )?most sense\b"
            ),
        ),
        reads="an option that is called the answer, correct, the best, …",
        example="Option B is correct.",
    ),
    _weak_rule(
        id="is_the_answer",
        bound=Bound.BEFORE,
        kinds=NUMBER | YES_NO,
        words=("answer",),
        cues=(
            re.compile(
                r" (?:is|would be|must be) (?:the|my|our) (?:final |correct |right )?answer\b"
            ),
        ),
        reads="a number, yes or no that is called the answer",
        example="42 is the answer.",
    ),
    _weak_rule(
        id="result_is",
        kinds=NOT_TEXT,
        words=("result",),
        cues=(
            re.compile(r"\b(?:the|our|my|this|final) result (?:is|was|would be)\b:?"),
        ),
        reads="what the result is, in the last sentence",
        example="The result is 42.",
        closes=True,
        last=True,
    ),
    _weak_rule(
        id="closest_to",
        kinds=CHOICE,
        words=("closest",),
        cues=(
            re.compile(
                r"\bclosest (?:to|(?:[a-z]{1,10} ){0,3}?(?:is|would be))\b:?" + LETTER
            ),
        ),
        reads="the letter that something is closest to",
        example="That is closest to D.",
        closes=True,
    ),
    _weak_rule(
        id="is_option",
        kinds=CHOICE,
        words=("option ", "choice ", "leav"),
        cues=(
            re.compile(
                r"\b(?:leaves(?: us with| only)?|leaving(?: us with| only)?) (?=[(\[])"
                + LETTER
                + r"|\b(?:(?:corresponds?|equal|equivalent) to|match(?:es)?|which is|that is"
                r"|this is|it is|it's|that's|must be|should be|leaves(?: us with)?|leaving"
                r"(?: only)?) (?=[*_]{0,3}(?:option|choice) )" + LETTER
            ),
        ),
        reads="an option named in the last sentence: “which is option …”",
        example="This corresponds to option C.",
        closes=True,
        last=True,
    ),
    _weak_rule(
        id="is_letter",
        kinds=CHOICE,
        words=("is (", "is [", "is *"),
        cues=(re.compile(r"\bthe [^.!?:\n]{1,80}? is (?=[*_]{0,3}[(\[])" + LETTER),),
        reads="a letter in brackets that something is, in the last sentence",
        example="Therefore, the sarcastic statement is (B).",
        closes=True,
        last=True,
    ),
    _weak_rule(
        id="must_be_option",
        kinds=CHOICE,
        words=(" be ",),
        cues=(
            re.compile(
                r"\b(?:it|this|that) (?:must|should|has to|ought to) be " + LETTER
            ),
        ),
        reads="a letter that it must be, in the last sentence",
        example="It must be B.",
        closes=True,
        last=True,
    ),
    _weak_rule(
        id="closing_letter",
        kinds=CHOICE,
        words=(")", "]"),
        cues=(
            re.compile(
                r"(?<=[.!?])[ \n]{1,2}(?=[*_]{0,2}[(\[][a-z][)\]][*_]{0,2}[. ]{0,3}\Z)"
            ),
        ),
        reads="a letter in brackets that stands alone at the end",
        example="Granite wears slowest. (B)",
        closes=True,
        last=True,
    ),
    _weak_rule(
        id="so_number",
        kinds=NUMBER,
        cues=(re.compile(SO + SO_IT_IS + r"(?=[*_$(\"'\\]{0,4}[-+]?[$£€]?\d)"),),
        reads="a number alone behind “so”, “hence”, …, in the last sentence",
        example="Hence, **42**.",
        closes=True,
        last=True,
    ),
    _weak_rule(
        id="comes_out",
        kinds=NUMBER,
        words=(" out ",),
        cues=(re.compile(r"\b(?:comes|works) out (?:to(?: be)?|as|at)\b"),),
        reads="what something comes out to, in the last sentence",
        example="It comes out to 42.",
        closes=True,
        last=True,
    ),
    _weak_rule(
        id="a_line",
        kinds=ALL - CHOICE,
        words=("a:",),
        cues=(re.compile(r"(?:\A|\n)[ *_]{0,4}a[*_]{0,3}: ?"),),
        reads="a last line that opens with “A:”",
        example="A: 42",
        closes=True,
        last=True,
    ),
    _weak_rule(
        id="so_yes_no",
        kinds=YES_NO,
        cues=(
            re.compile(
                SO
                + r"(?:overall,? |in (?:short|conclusion),? )?(?:it is )?"
                + YES_NO_WORD
            ),
        ),
        reads="yes or no behind “so”, “therefore”, “thus” or “hence”",
        example="It floats. Therefore, yes.",
    ),
    _weak_rule(
        id="overall_yes_no",
        kinds=YES_NO,
        words=("overall", "in ", "on ", "finally", "conclu", "summary", "verdict"),
        cues=(
            re.compile(
                r"\b(?:overall|in (?:short|conclusion|summary)|all in all|finally|to conclude"
                r"|on (?:reflection|balance|second thoughts?)),? (?:it is )?"
                + YES_NO_WORD
            ),
            re.compile(
                r"\n[ *_#>|-]{0,12}(?:in )?(?:conclusion|summary|verdict)[*_]{0,3}:[*_ ]{0,4}"
                + YES_NO_WORD
            ),
        ),
        reads="yes or no behind “overall”, “in short”, “on reflection”, …",
        example="On reflection, yes.",
        closes=True,
    ),
    _weak_rule(
        id="closing_yes_no",
        kinds=YES_NO,
        cues=(
            re.compile(
                r"(?<=[.!?\n])"
                r"(?=[*_\"'(\[ ]{0,6}(?:yes|no|true|false)\b[.!*_\"')\] ]{0,4}\Z)"
            ),
        ),
        reads="a last sentence that is yes or no",
        example="It sinks. No.",
    ),
    _weak_rule(
        id="undecided",
        bound=Bound.NOTHING,
        kinds=YES_NO | NUMBER,
        words=("depends", " to ", "cannot", "answer", "enough"),
        cues=(
            re.compile(
                r"\b(?:(?:it|this|that) (?:really |all |entirely |largely |just )?depends"
                r"|(?:we|one|i) (?:cannot|can't) (?:know|tell|say|be sure)"
                r"|(?:hard|difficult|impossible|not possible) to (?:say|tell|determine|know|decide)"
                r"|cannot be (?:determined|answered|known)"
                r"|no (?:single|definite|definitive|clear) answer|not enough information)\b"
            ),
        ),
        reads="a last sentence that says that it cannot be told",
        example="It depends on the season.",
        last=True,
    ),
    _weak_rule(
        id="corrected",
        kinds=NOT_TEXT,
        words=("wait", "actually", "correction", "i mean", "edit:"),
        cues=(
            re.compile(
                r"(?:\A|[.!?\n])[ \n\"'*_(]{0,4}(?:but |oh,? |no,? )?"
                r"(?:wait|actually|i mean)\b,? (?:(?:it|that)(?:'s| is) )?"
                r"|\b(?:correction|edit)[*_]{0,3}: ?"
            ),
        ),
        reads="what corrects an answer in the last sentence: “Actually, it is …”",
        example="Correction: B",
        closes=True,
        last=True,
    ),
    _weak_rule(
        id="taken_back",
        bound=Bound.NOTHING,
        kinds=ALL,
        words=("wait", "actually", "hmm", "oops", "mistake", "no,"),
        cues=(
            re.compile(
                r"(?:\A|[.!?\n] ?)[\"'*(]{0,2}(?:(?:wait|actually|hmm+|oops|no)\b[^.!?\n]{0,40}?"
                r"(?:(?:not|n't) (?:right|correct)|wrong|incorrect|a mistake|an error)"
                r"|i (?:made|have made) (?:a mistake|an error))"
            ),
        ),
        reads="a last sentence that takes the answer back",
        example="Wait, that is not right.",
        last=True,
    ),
)
