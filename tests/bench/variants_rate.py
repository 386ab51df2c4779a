"""Rationales a second of `cotbuild variants` with the paper set, and of each transform
alone beside a bare Python loop, on real rationales; an older tree beside this one.

    git worktree add ../before COMMIT
    PYTHONPATH=. python tests/bench/variants_rate.py --old ../before

The first table is of the whole command, by the CPU time of its process, so other work on
the machine counts little. The second has the rate of each transform, in this tree and
the older one, each divided by that of a loop in the same process which does what the
transform is about and no more: split, choose, sort and join, with one `random.Random`
for all rows, so that none of its rows can be derived alone; a swap finds the next
rationale of another question, in a file. Needs the real data, see
tests/support/commands.py.
"""

import argparse
import gc
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from math import log
from pathlib import Path

from harness import ROOT, Run, alternate, load, run, spread, table

from cotbuild.builder.variants.compile import CompiledVariant
from cotbuild.builder.variants.corpus import LoadedCorpus
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.schemas.answers.mentions import find_mentions
from cotbuild.schemas.question import Question
from tests.support.labelled import SETS, rows_of

NAMES_OF_SETS = ("chatgpt_openbookqa", "llama3_openbookqa", "palm_commonsense_qa")
SEED = 0


def real_rationales(num: int) -> list[tuple[Question, str, str]]:
    """Return question, answer text and rationale of `num` correct rows of published sets.

    They are taken again from the first where they run out, as other questions.
    """
    found = []
    for name in NAMES_OF_SETS:
        which = next(one for one in SETS if one.recipe == name)
        for question, row in rows_of(which):
            if row.verdict == "correct" and row.rationale:
                found.append((question, row.completion or "", row.rationale))
    return [
        (question.model_copy(update={"id": f"q{number:07d}"}), text, rationale)
        for number, (question, text, rationale) in enumerate(islice(cycle(found), num))
    ]


# --- the whole command ---


def write_build(folder: Path, rows: Sequence[tuple[Question, str, str]]) -> Path:
    """Import rationales into a build of their questions."""
    questions, texts = folder / "questions.jsonl", folder / "texts.jsonl"
    with questions.open("w") as asked, texts.open("w") as said:
        for question, text, _ in rows:
            value = {
                "id": question.id,
                "question": question.text,
                "choices": [choice.text for choice in question.choices],
                "answer": question.target,
            }
            asked.write(json.dumps(value) + "\n")
            said.write(json.dumps({"id": question.id, "why": text}) + "\n")
    build = folder / "build"
    mapping = ["--map", "text=why", "--map", "id=id", "--source", questions]
    run([*command(ROOT), "import", texts, *mapping, "--out", build])
    return build


def command(tree: Path) -> list[object]:
    """Return the words that run cotbuild of a tree."""
    code = f"PYTHONPATH={tree / 'tests' / '.ns'}"
    return ["env", code, sys.executable, "-m", "cotbuild"]


def compare_commands(build: Path, num: int, old: Path | None, pairs: int) -> None:
    """Print the table of the whole command."""
    rates: dict[str, list[float]] = {"new": [], "old": []}

    def derive(tree: Path) -> Run:
        # The older tree cannot read a manifest of this one.
        copy = build.with_name("of_this_tree" if tree == ROOT else "of_older_tree")
        if not copy.exists():
            shutil.copytree(build, copy)
        return run([*command(tree), "variants", copy])

    for number in range(pairs):
        if old is None:
            rates["new"].append(num / derive(ROOT).cpu_s)
            continue
        new_run, old_run = alternate(number, lambda: derive(ROOT), lambda: derive(old))
        rates["new"].append(num / new_run.cpu_s)
        rates["old"].append(num / old_run.cpu_s)
    line = ["paper set", spread(rates["new"], ",.0f")]
    if old is not None:
        ratios = [a / b for a, b in zip(rates["new"], rates["old"], strict=True)]
        line += [spread(rates["old"], ",.0f"), spread(ratios)]
    table(
        ["whole command", "rationales/s of CPU", "before", "ratio"][: len(line)], [line]
    )


# --- each transform beside a loop ---


class StoredTexts:
    """Texts in a file, by number: a swap may need any of them, and a build may have
    more than fit into memory.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  open until the end
        self._ends = [0]
        for text in texts:
            self._ends.append(self._ends[-1] + self._file.write(text.encode()))
        self._file.flush()

    def __getitem__(self, number: int) -> str:
        start, end = self._ends[number : number + 2]
        return os.pread(self._file.fileno(), end - start, start).decode()


Bare = Callable[[RationaleExample], str]


class Loops:
    """What transforms are about, written down with as little as it takes."""

    def __init__(self, examples: Sequence[RationaleExample]) -> None:
        texts = [one.rationale for one in examples]
        forms = Counter(
            form for text in texts for form in set(map(plain, text.split()))
        )
        self._idf = {form: log(len(texts) / count) for form, count in forms.items()}
        self._vocabulary = sorted({word for text in texts for word in text.split()})
        self._ids = [one.question_id for one in examples]
        self._places = {name: place for place, name in enumerate(self._ids)}
        self._texts = StoredTexts(texts)
        self._random = random.Random(SEED)

    def _order(self, count: int) -> list[int]:
        order = list(range(count))
        self._random.shuffle(order)
        return order

    def shuffle(self, one: RationaleExample) -> str:
        words = one.rationale.split()
        return " ".join([words[i] for i in self._order(len(words))])

    def shuffle_trigrams(self, one: RationaleExample) -> str:
        words = one.rationale.split()
        blocks = [words[at : at + 3] for at in range(0, len(words), 3)]
        order = self._order(len(blocks))
        return " ".join([word for i in order for word in blocks[i]])

    def reverse(self, one: RationaleExample) -> str:
        return " ".join(one.rationale.split()[::-1])

    def sort(self, one: RationaleExample) -> str:
        return " ".join(sorted(one.rationale.split(), key=str.casefold))

    def mask_half(self, one: RationaleExample) -> str:
        words = one.rationale.split()
        for i in self._order(len(words))[: (len(words) + 1) // 2]:
            words[i] = "_"
        return " ".join(words)

    def drop_half(self, one: RationaleExample) -> str:
        words = one.rationale.split()
        kept = sorted(self._order(len(words))[(len(words) + 1) // 2 :])
        return " ".join([words[i] for i in kept])

    def cut_half(self, one: RationaleExample) -> str:
        words = one.rationale.split()
        return " ".join(words[: (len(words) + 1) // 2])

    def tfidf(self, one: RationaleExample) -> str:
        words = one.rationale.split()
        forms = list(map(plain, words))
        counts = Counter(forms)
        first = dict(zip(reversed(forms), range(len(words) - 1, -1, -1), strict=True))
        ranked = sorted(
            first, key=lambda form: counts[form] * self._idf[form], reverse=True
        )
        return " ".join([words[i] for i in sorted(first[form] for form in ranked[:15])])

    def sample(self, one: RationaleExample) -> str:
        words = one.rationale.split()
        count = min(15, len(set(map(plain, words))))
        return " ".join([words[i] for i in sorted(self._order(len(words))[:count])])

    def vocabulary(self, one: RationaleExample) -> str:
        return " ".join(
            self._random.choices(self._vocabulary, k=len(one.rationale.split()))
        )

    def swap(self, one: RationaleExample) -> str:
        place = self._places[one.question_id]
        while self._ids[place] == one.question_id:
            place = (place + 1) % len(self._ids)
        return self._texts[place]

    def fill(self, one: RationaleExample) -> str:
        return " ".join(["…"] * len(one.rationale.split()))

    def repeat_question(self, one: RationaleExample) -> str:
        words = cycle(one.question.text.split())
        return " ".join(islice(words, len(one.rationale.split())))

    def strip_options(self, one: RationaleExample) -> str:
        words = one.rationale.split()
        while named := find_named(words, one.question):
            words = [word for i, word in enumerate(words) if i not in named]
        return " ".join(words)

    def strip_at_random(self, one: RationaleExample) -> str:
        words = one.rationale.split()
        left = len(self.strip_options(one).split())
        kept = sorted(self._order(len(words))[:left])
        return " ".join([words[i] for i in kept])


def plain(word: str) -> str:
    """Return a word in lower case without what surrounds it."""
    return word.lower().strip(".,;:!?\"'()[]")


def find_named(words: Sequence[str], question: Question) -> set[int]:
    """Return the positions of the words that name an option."""
    text = " ".join(words)
    named: set[int] = set()
    for mention in find_mentions(text, question):
        first = text.count(" ", 0, mention.start)
        named.update(
            range(first, first + 1 + text.count(" ", mention.start, mention.end))
        )
    return named


def bare_loops(loops: Loops) -> dict[str, Bare]:
    """Return the loop of each variant that is measured."""
    return {
        "post_cot_shuffled_words": loops.shuffle,
        "post_cot_shuffled_trigrams": loops.shuffle_trigrams,
        "post_cot_reversed": loops.reverse,
        "post_cot_sorted": loops.sort,
        "post_cot_masked_50": loops.mask_half,
        "post_cot_dropped_50": loops.drop_half,
        "post_cot_first_half": loops.cut_half,
        "post_cot_tfidf_15": loops.tfidf,
        "post_cot_random_15": loops.sample,
        "post_cot_vocabulary": loops.vocabulary,
        "post_cot_swapped": loops.swap,
        "post_cot_filler": loops.fill,
        "post_cot_question_repeated": loops.repeat_question,
        "post_cot_strip_options": loops.strip_options,
        "post_cot_strip_options_control": loops.strip_at_random,
    }


def measure_transforms(num: int, pairs: int) -> dict[str, dict[str, list[float]]]:
    """Return the rates of each transform, and each divided by that of its loop."""
    examples = [
        RationaleExample(question, 0, rationale)
        for question, _, rationale in real_rationales(num)
    ]
    found = {}
    with LoadedCorpus(examples, {}) as corpus:
        for name, bare in bare_loops(Loops(examples)).items():
            variant = CompiledVariant.compile(builtin_variants()[name])
            rates, ratios = [], []
            for number in range(pairs):
                fresh = list(map(forget, examples))
                ours, loop = alternate(
                    number,
                    lambda: seconds(lambda: count(apply(variant, fresh, corpus))),  # noqa: B023
                    lambda: seconds(lambda: count(map(bare, examples))),  # noqa: B023
                )
                rates.append(num / ours)
                ratios.append(loop / ours)
            found[name] = {"rates": rates, "ratios": ratios}
    return found


def forget(example: RationaleExample) -> RationaleExample:
    """Return a rationale of which nothing is remembered but its words, which all
    variants of a set share.
    """
    fresh = replace(example)
    if hasattr(fresh, "words"):
        assert fresh.words
    return fresh


def apply(
    variant: CompiledVariant,
    examples: Sequence[RationaleExample],
    corpus: LoadedCorpus,
) -> Iterator[str | None]:
    """Yield what a variant's transforms leave of each rationale."""
    if not hasattr(variant, "place"):  # an older tree: the label is chosen too
        for one in examples:
            derived = variant.derive(one, SEED, corpus)
            yield derived.rationale if derived else None
        return
    for one in examples:
        steps = variant.place(one, SEED, corpus)
        yield steps[-1].text if steps else None


def count(texts: Iterable[object]) -> int:
    """Return how many texts there are, keeping none."""
    return sum(1 for _ in texts)


def seconds(call: Callable[[], object]) -> float:
    """Return the CPU seconds of one call, without collecting garbage."""
    gc.collect()
    gc.disable()
    started = time.process_time()
    call()
    taken = time.process_time() - started
    gc.enable()
    return taken


def compare_transforms(num: int, old: Path | None, pairs: int) -> None:
    """Print the table of transforms, those of the older tree from a process of its own."""
    new, before = measure_transforms(num, pairs), None
    if old is not None:
        words: list[object] = [
            "env",
            f"PYTHONPATH={old / 'tests' / '.ns'}:{ROOT}",
            sys.executable,
        ]
        words += [str(Path(__file__)), "--json", "--rows", num, "--pairs", pairs]
        before = json.loads(run(words).out.splitlines()[-1])
    lines = []
    for name, found in new.items():
        line = [name, spread(found["rates"], ",.0f"), spread(found["ratios"])]
        if before is not None:
            line += [spread(before[name][key], form) for key, form in BEFORE.items()]
        lines.append(line)
    head = ["transform of", "rationales/s", "÷ bare loop", "before", "÷ bare loop"]
    table(head[: len(lines[0])], lines)


BEFORE = {"rates": ",.0f", "ratios": ".2f"}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--old", type=Path, help="folder of an older tree")
    parser.add_argument("--json", action="store_true", help="transforms alone, as JSON")
    args = parser.parse_args()
    if args.json:
        print(json.dumps(measure_transforms(args.rows, args.pairs)))
        return
    old = None if args.old is None else args.old.resolve()
    rows = real_rationales(args.rows)
    words = sum(len(rationale.split()) for _, _, rationale in rows) / len(rows)
    print(f"{len(rows)} rationales of {words:.1f} words; {load()}", flush=True)
    compare_transforms(args.rows, old, args.pairs)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("COTBUILD_CACHE", folder)
        build = write_build(Path(folder), rows)
        compare_commands(build, args.rows, old, args.pairs)


if __name__ == "__main__":
    main()
