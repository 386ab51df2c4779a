"""Whether templates show the inputs that questions have."""

from collections.abc import Collection, Iterable, Iterator

from cotbuild.prompts.template import Template
from cotbuild.schemas.errors import ConfigError


def check_needed_inputs(
    templates: Iterable[Template], inputs: Collection[str], dataset: str
) -> None:
    """Raise ConfigError for a template that shows an input no question has.

    `inputs` are the names of those that the questions of a dataset may have.
    """
    for template in templates:
        for name in template.needed_inputs:
            if name not in inputs:
                have = f"they have {', '.join(inputs)}" if inputs else "they have none"
                raise ConfigError(
                    f"template {template.ref} shows ${name}, and no question of {dataset} "
                    f"has such an input; {have}. Map a column to it with --map "
                    f"{name}=COLUMN, or pass another --template."
                )


def describe_hidden_inputs(
    templates: Iterable[Template], inputs: Collection[str]
) -> Iterator[str]:
    """Yield a line for each template that does not show all inputs."""
    for template in templates:
        hidden = [name for name in inputs if name not in template.input_names]
        if hidden and not template.shows_all_inputs:
            what = "input" if len(hidden) == 1 else "inputs"
            yield f"template {template.ref} does not show {what} {', '.join(hidden)}"
