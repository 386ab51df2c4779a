"""How to load, train on, verify, rebuild and cite a release. Pure."""

import json
import shlex
from datetime import date

from cotbuild.builder.card.front_matter import ReleaseFacts, config_has_images
from cotbuild.builder.card.markdown import bibtex_text, code_block, one_line
from cotbuild.builder.storage.images import IMAGE_COLUMN
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.variant import RowFormat

_PAPER = r"""@inproceedings{wadhwa2024mysteries,
  title = {Investigating Mysteries of {CoT}-Augmented Distillation},
  author = {Wadhwa, Somin and Amir, Silvio and Wallace, Byron C.},
  booktitle = {Proceedings of the 2024 Conference on Empirical Methods in Natural Language Processing},
  year = {2024},
  note = {arXiv:2406.14511}
}"""
"""The paper that introduced these variants."""

_TRAINING = """\
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

rows = {load}
rows = rows.select_columns({columns})
args = SFTConfig(output_dir={folder}, num_train_epochs=2, learning_rate=5e-5{settings})
trainer = SFTTrainer({model}, args=args, train_dataset=rows)
trainer.train()
trainer.save_model()\
"""


_MODEL = "HuggingFaceTB/SmolLM2-135M"
_CHAT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
_VISION_MODEL = "HuggingFaceTB/SmolVLM-256M-Instruct"
"""The models of the training example: the second has a chat template, for messages."""


def load_lines(repo: str, tag: str | None, config_name: str, split: str) -> list[str]:
    """Return Python code that loads one split of one config."""
    call = _load_call(repo, tag, config_name, split)
    return code_block(f"from datasets import load_dataset\n\nrows = {call}", "python")


def _load_call(repo: str, tag: str | None, config_name: str, split: str) -> str:
    arguments = [
        _string_literal(repo),
        _string_literal(config_name),
        f"split={_string_literal(split)}",
    ]
    if tag is not None:
        arguments.append(f"revision={_string_literal(tag)}")
    return f"load_dataset({', '.join(arguments)})"


def _string_literal(value: str) -> str:
    return json.dumps(value)


def usage_lines(manifest: Manifest, release: ReleaseFacts) -> list[str]:
    """Return how to load a release, train on it, verify it and rebuild it."""
    split = manifest.source.split
    lines = ["## Load and train", ""]
    lines += load_lines(release.repo, release.tag, "rationales", split)
    lines.append("")
    variant = _example_variant(manifest)
    if variant is not None:
        lines += ["With TRL:", "", *_training_lines(manifest, release, variant), ""]
    return lines + _reproduction_lines(release)


def _example_variant(manifest: Manifest) -> str | None:
    """Return the variant that the training example uses, None if there are none."""
    if manifest.variants is None:
        return None
    names = [variant.name for variant in manifest.variants.variants]
    return "post_cot" if "post_cot" in names else next(iter(names), None)


def _has_messages(manifest: Manifest, variant: str) -> bool:
    specs = manifest.variants.made.specs if manifest.variants else ()
    formats = {spec.name: spec.format for spec in specs}
    return formats.get(variant) is RowFormat.MESSAGES


def _training_lines(
    manifest: Manifest, release: ReleaseFacts, variant: str
) -> list[str]:
    columns, settings = ["prompt", "completion"], ""
    model = _CHAT_MODEL if _has_messages(manifest, variant) else _MODEL
    if config_has_images(manifest, variant):
        columns.append(IMAGE_COLUMN)
        # A row that is cut may lose some of the tokens of its pictures.
        settings = ", max_length=None"
        model = _VISION_MODEL
    code = _TRAINING.format(
        load=_load_call(release.repo, release.tag, variant, manifest.source.split),
        columns=json.dumps(columns),
        folder=_string_literal(f"runs/{variant}"),
        settings=settings,
        model=_string_literal(model),
    )
    return code_block(code, "python")


def _reproduction_lines(release: ReleaseFacts) -> list[str]:
    name = f"{release.repo}@{release.tag}" if release.tag else release.repo
    shell_name = shlex.quote(one_line(name))
    return [
        "## Verify and reproduce",
        "",
        "`cotbuild verify` checks digests, counts, the key of every request and the "
        "rows of the variants from the published files alone. `cotbuild pull` turns "
        "the release back into a build, which generates nothing again that is in it:",
        "",
        *code_block(
            f"cotbuild verify {shell_name}\ncotbuild pull {shell_name} pulled", "bash"
        ),
        "",
        "To rebuild it from the sources alone:",
        "",
        *code_block(release.rebuild, "bash"),
        "",
    ]


def citation_lines(manifest: Manifest, release: ReleaseFacts) -> list[str]:
    """Return BibTeX entries for the release and for the paper."""
    owner, slash, _ = release.repo.partition("/")
    version = f", {release.tag}" if release.tag else ""
    fields = {"title": bibtex_text(manifest.title)}
    if slash:
        fields["author"] = f"{{{bibtex_text(owner)}}}"
    if year := _year(release):
        fields["year"] = year
    fields["howpublished"] = bibtex_text(f"Dataset {release.repo}{version}")
    fields["note"] = bibtex_text(
        f"Built with cotbuild {manifest.cotbuild}; "
        f"fingerprint {manifest.fingerprint[:16]}"
    )
    text = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    entry = f"@misc{{cotbuild{manifest.fingerprint[:8]},\n{text}\n}}"
    return ["## Citation", "", *code_block(f"{entry}\n\n{_PAPER}", "bibtex")]


def _year(release: ReleaseFacts) -> str:
    try:
        return str(date.fromisoformat((release.published or "")[:10]).year)
    except ValueError:
        return ""
