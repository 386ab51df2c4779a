"""The paper set on the five published sets of rationales: rows, words, tokens, and what
still names an option.

    python -m tests.bench.variant_table [--tokenizer embedded]     # from the root; needs the real data

Tokens are those of the embedded model, or of a folder's tokenizer.json. The last two
columns are the shares of rows that name the target and another option, word for word,
and in brackets by half of its word stems.
"""

import argparse
import json
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from cotbuild.builder.variants.units import TokenPieces
from tests.support.commands import DATA, cotbuild

RATIONALES = DATA / "rationales"
CSQA, OBQA = (
    DATA / "commonsense_qa" / "train_rand_split.jsonl",
    DATA / "openbookqa" / "train.jsonl",
)
COSE = RATIONALES / "human_cose" / "cose_train_v1.11.jsonl"
PALM = [
    RATIONALES / "palm_commonsense_qa" / f"train_CoT_{number}.json"
    for number in range(10)
]
IMPORTS: dict[str, list[object]] = {
    "palm_commonsense_qa": [*PALM, "--source", CSQA, "--order-from", COSE],
    "cose": [COSE, "--source", CSQA],
    "llama3_openbookqa": [
        *(RATIONALES / "llama3_openbookqa").glob("*.json"),
        "--source",
        OBQA,
    ],
    "chatgpt_openbookqa": [
        *(RATIONALES / "chatgpt_openbookqa").glob("*.json"),
        "--source",
        OBQA,
    ],
    "gpt3_quarel": [*(RATIONALES / "gpt3_quarel").glob("*.jsonl")],
}


def mean_tokens(folder: Path, pieces: TokenPieces) -> float:
    """Tokens of what a variant leaves of a rationale."""
    rows = pq.read_table(folder / "train-00000-of-00001.parquet").to_pylist()
    texts = [
        row["completion"][row["rationale_start"] : row["rationale_end"]]
        for row in rows
        if row["rationale_end"]
    ]
    return sum(len(pieces.split(text)) for text in texts) / len(rows)


def main() -> None:
    """Print a table a set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokenizer", default="embedded")
    args = parser.parse_args()
    pieces = TokenPieces.of(args.tokenizer)
    for recipe, words in IMPORTS.items():
        with tempfile.TemporaryDirectory() as folder:
            build = Path(folder, "b")
            cotbuild("import", *words, "--format", recipe, "--out", build)
            cotbuild("variants", build)
            made = json.loads((build / "manifest.json").read_text())["variants"]
            print(
                f"\n{recipe}: {made['num_in']} rationales, left out {made['dropped']}"
            )
            print(
                f"{'variant':<31} {'rows':>6} {'words':>6} {'tokens':>7} {'target':>16} {'other option':>16}"
            )
            for entry in made["variants"]:
                named = [
                    f"{entry[f'names_{what}']:.1%} ({entry[f'loosely_{what}']:.1%})"
                    for what in ("target", "other")
                ]
                tokens = mean_tokens(build / entry["name"], pieces)
                print(
                    f"{entry['name']:<31} {entry['num_rows']:>6} {entry['words']:>6.1f} {tokens:>7.1f}"
                    f" {named[0]:>16} {named[1]:>16}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
