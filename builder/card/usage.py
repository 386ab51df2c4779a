"""How to load, train on, verify, bring back, make again and cite a release."""

import json
import shlex
from datetime import date

from cotbuild.builder.card.escape import bibtex, fence, flat
from cotbuild.builder.card.release import ReleaseFacts
from cotbuild.schemas.manifest import Manifest

PAPER = r"""@inproceedings{wadhwa2024mysteries,
  title = {Investigating Mysteries of {CoT}-Augmented Distillation},
  author = {Wadhwa, Somin and Amir, Silvio and Wallace, Byron C.},
  booktitle = {Proceedings of the 2024 Conference on Empirical Methods in Natural Language Processing},
  year = {2024},
  note = {arXiv:2406.14511}
}"""
"""The paper that these variants come from."""


def load_lines(repo: str, tag: str | None, config_name: str, split: str) -> list[str]:
    """Python that loads one config; values as string literals."""
    call = f"load_dataset({_text(repo)}, {_text(config_name)}, split={_text(split)}{_revision(tag)})"
    return fence(f"from datasets import load_dataset\n\nrows = {call}", "python")


def _text(value: str) -> str:
    return json.dumps(value)


def _revision(tag: str | None) -> str:
    return "" if tag is None else f", revision={_text(tag)}"


def rebuild_lines(manifest: Manifest, release: ReleaseFacts) -> list[str]:
    """Loading, training, checking, bringing back and making again."""
    name = f"{release.repo}@{release.tag}" if release.tag else release.repo
    split = manifest.source.split
    lines = [
        "## Load and train",
        "",
        *load_lines(release.repo, release.tag, "rationales", split),
        "",
    ]
    if (config_name := _trained(manifest)) is not None:
        lines += ["With TRL alone:", "", *_training(release, config_name, split), ""]
    return [
        *lines,
        "## Check it, bring it back, make it again",
        "",
        "Digests, counts, the key of every request and the variants are checked from the outside; what is brought back "
        "asks its teacher nothing again:",
        "",
        *fence(
            f"cotbuild verify {_shell(name)}\ncotbuild pull {_shell(name)} pulled",
            "bash",
        ),
        "",
        "From nothing but the sources:",
        "",
        *fence(release.rebuild, "bash"),
        "",
    ]


def _trained(manifest: Manifest) -> str | None:
    """The variant of the training example: post_cot where there is one; None: there are
    no variants.
    """
    names = (
        [entry.name for entry in manifest.variants.variants]
        if manifest.variants
        else []
    )
    return "post_cot" if "post_cot" in names else next(iter(names), None)


def _training(release: ReleaseFacts, config_name: str, split: str) -> list[str]:
    call = f"load_dataset({_text(release.repo)}, {_text(config_name)}, split={_text(split)}{_revision(release.tag)})"
    return fence(
        f"""from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

rows = {call}
rows = rows.select_columns(["prompt", "completion"])
args = SFTConfig(output_dir={_text("runs/" + config_name)}, num_train_epochs=2, learning_rate=5e-5)
trainer = SFTTrainer("HuggingFaceTB/SmolLM2-135M", args=args, train_dataset=rows)
trainer.train()
trainer.save_model()""",
        "python",
    )


def cite_lines(manifest: Manifest, release: ReleaseFacts) -> list[str]:
    """BibTeX of the release and of the paper."""
    owner, slash, _ = release.repo.partition("/")
    fields = {
        "title": bibtex(manifest.title),
        **({"author": f"{{{bibtex(owner)}}}"} if slash else {}),
        **({"year": _year(release)} if _year(release) else {}),
        "howpublished": bibtex(
            f"Dataset {release.repo}" + (f", {release.tag}" if release.tag else "")
        ),
        "note": bibtex(
            f"Made with cotbuild {manifest.cotbuild}; fingerprint {manifest.fingerprint[:16]}"
        ),
    }
    entry = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    found = f"@misc{{cotbuild{manifest.fingerprint[:8]},\n{entry}\n}}"
    return ["## Cite", "", *fence(f"{found}\n\n{PAPER}", "bibtex")]


def _year(release: ReleaseFacts) -> str:
    try:
        return str(date.fromisoformat((release.published or "")[:10]).year)
    except ValueError:
        return ""


def _shell(value: str) -> str:
    return shlex.quote(flat(value))
