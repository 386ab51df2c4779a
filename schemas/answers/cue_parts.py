"""Parts that the cues of several rules are put together from."""

# "The answer must be a planet", which opens most PaLM rationales, is a demand and no
# answer, even if an option fits it.
IS = (
    r"(?:is|was|would be|will be|becomes|equals|can only be"
    r"|(?:appears|seems|turns out|has|ought|comes out|would have|needs) to be"
    r"|(?:must|should|has to|could) be(?! an? | the ))\b"
)
SAYS = (
    r"(?:[*_]{0,3} ?(?:[:=]|- |-{1,2}>|[\u2192\u21d2\u27a1])"
    rf"|[ *_]{{1,4}}{IS}(?: indeed\b)?|is(?=[a-z]\b))"
)
# "the answer (arabic numerals) is", "the answer, in dollars, is"
GLOSS = (
    r"[*_]{0,3}(?: ?\([^()\n]{1,60}\)|, ?[^,.:;!?\n]{1,40},| - [^-.:;!?\n]{1,40} -)"
    r"[*_ ]{0,4}"
)
OF_THE_QUESTION = (
    r" (?:to|for|of) (?:the|this|that|your|our) (?:[a-z]{1,12} ){0,2}?"
    r"(?:question|problem|riddle|equation|puzzle|query|exercise|task|quiz)"
)
OF_ANYTHING = r" (?:to|for|in|of|as|that|from|among|here|at) [^.,:;!?\n()]{0,60}?"
PRAISE = (
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
    "chosen",
    "selected",
    "plausible",
    "probable",
    "reasonable",
)


def preceded(noun: str) -> str:
    """Return look-behinds for the text before `noun`, to put after it.

    A scan that starts from a literal word is three times as fast.
    """
    return "|".join(f"(?<={praise} {noun})" for praise in PRAISE)


LINE_HEAD = r"\n[ *_#>|-]{0,12}"
COLON = r"[*_.]{0,4} ?(?:[:=]|- |-{1,2}>| is\b)"
MY = r"(?:my |the |your |our )?"
SO = r"\b(?:so|therefore|thus|hence|consequently|accordingly|overall|ultimately)\b,? "
SO_IT_IS = r"(?:(?:it|this|that) (?:is|must be|should be|has to be) )?"
# Letters only: "so it is stronger" is reasoning, and repeats an option in 9 of 9,650
# GPT-3 rationales on QuaRel.
LETTER = (
    r"(?=[ *_(\"'\[$`]{0,5}(?:(?:option|choice|answer|letter) )?[(\[*$]{0,3}(?!a )"
    r"[^\W_](?![\w'-]))"
)
YES_NO_WORD = r"(?=[*_(\[\"']{0,3}(?:yes|no|true|false)\b)"
CORRECT = (
    r"(?:correct|best|right|accurate|likely|logical|appropriate|suitable|closest"
    r"|plausible|probable|reasonable|final)"
)
IS_CALLED = (
    r" (?:is|would be|must be|should be|has to be|(?:seems|appears) to be|seems|remains) "
    r"(?:clearly |definitely |therefore |thus |indeed |likely |probably )?"
)
