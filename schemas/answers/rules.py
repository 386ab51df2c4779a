r"""The rules by which an answer is read: a table of cues, each with what bounds its value.

A rule reads one way in which a text states its answer. Its *cue* is what introduces the
answer ("the answer is", `\boxed{`), or what follows the answer (" is correct"). Its
*bound* says how far the answer reaches from there. Its *strength* says how much it
counts: what a formal rule reads goes before what weak ones read, and those before a line
that is nothing but an answer. Among rules of one strength the last statement counts, in
a text that puts its answer first the first one.

Cues are matched in folded text in lower case (see `folding.fold`). All patterns take
linear time, since teachers do emit 100 KB of one character: repeats are possessive,
bounded, or over characters that cannot follow them. A rule is tried only where the text
holds one of its words, and a pattern that begins with a literal word is fast.
"""

from cotbuild.schemas.answers.formal_rules import FORMAL_RULES
from cotbuild.schemas.answers.rule import ALL, NUMBER, Bound, Rule, Strength
from cotbuild.schemas.answers.weak_rules import WEAK_RULES
from cotbuild.schemas.question import QuestionKind

CUELESS_RULES = (
    # Read by `choose`, and only if asked for.
    Rule(
        id="closing_sentence",
        strength=Strength.WEAK,
        kinds=NUMBER,
        reads="the only number of a last sentence that opens with “so”, “therefore”, …; "
        "off unless asked for",
        example="Therefore, there are 49 chairs.",
        last=True,
    ),
    # Read by `alone`.
    Rule(
        id="opening",
        strength=Strength.ALONE,
        kinds=ALL,
        reads="the answer that a text opens with, before its reason",
        example="(B) because it is hard.",
    ),
    Rule(
        id="lone_line",
        strength=Strength.ALONE,
        bound=Bound.LINE,
        kinds=ALL,
        reads="a line that is nothing but an answer",
        example="It is hard.\n\n**B**",
    ),
)

RULES = (*FORMAL_RULES, *WEAK_RULES, *CUELESS_RULES)

_SELECTED = {
    (kind, strength): tuple(
        rule
        for rule in RULES
        if rule.cues and rule.strength is strength and kind in rule.kinds
    )
    for kind in QuestionKind
    for strength in Strength
}


def select_rules_for_text(
    low: str, begin: int, kind: QuestionKind, strength: Strength
) -> list[Rule]:
    """Return the rules of a kind and strength whose words a text holds from `begin` on."""
    held = {word for word in _WORDS[kind, strength] if low.find(word, begin) >= 0}
    return [
        rule
        for rule in _SELECTED[kind, strength]
        if not rule.words or not held.isdisjoint(rule.words)
    ]


_WORDS = {
    key: tuple({word for rule in rules for word in rule.words})
    for key, rules in _SELECTED.items()
}
