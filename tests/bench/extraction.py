"""Extraction against what people read: 400 real rationales, labelled before anybody
looked at our output.

    python -m tests.bench.extraction            # from the root; needs the real data, see tests/support/commands.py

Wrong: an answer that the text does not state. Miss: none, where the text states one.
Beside it the usual rule, the first letter of an option found in the text.
"""

from collections import Counter

from tests.support.labelled import first_letter, labelled, ours, outcome, score


def main() -> None:
    """Print the table, and the places of our own errors."""
    texts = labelled()
    by_us, by_letter = score(texts, ours), score(texts, first_letter)
    print(
        f"{'set':<20} {'draw':<7} {'texts':>5} {'stated':>6} | ours: wrong miss | first letter: wrong miss"
    )
    for key, us in by_us.items():
        them, total = by_letter[key], us["stated"] + us["none"]
        print(
            f"{key[0]:<20} {key[1]:<7} {total:>5} {us['stated']:>6} | {us['wrong']:>11} {us['miss']:>4} |"
            f" {them['wrong']:>19} {them['miss']:>4}"
        )
    for name, rule in (("ours", ours), ("first letter", first_letter)):
        counts = Counter(outcome(rule(one), one.answer) for one in texts)
        print(
            f"{name}: {counts['wrong']} wrong and {counts['miss']} misses of {len(texts)}"
        )
    for one in texts:
        if (found := ours(one)) != one.answer:
            print(
                f"  {one.place[0]} row {one.place[1]} ({one.draw}): labelled {one.answer}, found {found}"
            )


if __name__ == "__main__":
    main()
