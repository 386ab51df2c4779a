"""Turn options and a YAML file into a BuildConfig."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from cotbuild.builder.console import print_message
from cotbuild.schemas.body_edits import send_again
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import read_yaml
from cotbuild.schemas.import_recipe import JOINS, Join
from cotbuild.schemas.question import INPUT_NAME
from cotbuild.schemas.record import Record, short_repr
from cotbuild.schemas.row_files import FILE_FORMATS, FileFormat
from cotbuild.schemas.yaml_text import parse_yaml

Config = TypeVar("Config", bound=Record)


def build_config(
    file: Path | None,
    flags: Mapping[str, Any],
    extra: Iterable[str] = (),
    say: Callable[[str], None] = print_message,
) -> BuildConfig:
    """Merge the values of a file, options and `--set` arguments, in this order.

    `flags` maps dotted names to values, None for an option that was not given; `extra`
    are NAME=VALUE. `say` receives a line where the file came with a release and
    settings in it were left out. Raises ConfigError with the name of the invalid field.
    """
    values = _read(file, say) if file is not None else {}
    extra = list(extra)
    named = {name for name, value in flags.items() if value is not None}
    named |= {setting.partition("=")[0] for setting in extra}
    if isinstance(teacher := values.get("teacher"), dict):
        if "teacher.model" in named:
            # The identity is that of the file's teacher, and this is another, or here.
            teacher.pop("recorded", None)
        send_again(teacher, named)
    return filled(
        BuildConfig, values, flags, extra, str(file) if file is not None else "settings"
    )


def filled(
    form: type[Config],
    values: dict[str, Any],
    flags: Mapping[str, Any],
    extra: Iterable[str],
    where: str,
) -> Config:
    """Parse `values` after overriding them by `flags`, then by `extra`.

    Raises ConfigError with the name of the invalid field.
    """
    for name, value in flags.items():
        if value is not None:
            _put(values, name, value)
    for setting in extra:
        name, equals, text = setting.partition("=")
        if not equals or not name:
            raise ConfigError(
                f"--set {setting!r} is not NAME=VALUE, such as "
                "teacher.server.max_num_seqs=64."
            )
        _put(values, name, parse_yaml(text, f"--set {name}"))
    return form.parse(values, where, ConfigError)


def _read(file: Path, say: Callable[[str], None]) -> dict[str, Any]:
    values = read_yaml(file)
    if not isinstance(values, dict):
        raise ConfigError(
            f"{file}: holds a {type(values).__name__}, not the settings of a build. Write "
            "fields such as source."
        )
    # Imported here, since most commands have no file.
    from cotbuild.builder.release.untrusted import receive_settings

    received, left_out = receive_settings(file, values)
    if left_out is not None:
        say(left_out)
    return received


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    *path, last = name.split(".")
    for part in path:
        if values.get(part) is None:  # absent, or null in a build.json
            values[part] = {}
        inner = values[part]
        if not isinstance(inner, dict):
            raise ConfigError(
                f"{name}: {part} is {short_repr(inner)} and has no fields."
            )
        values = inner
    values[last] = value


def columns(
    pairs: Iterable[str], option: str = "--map", *, allow_none: bool = False
) -> dict[str, str] | None:
    """Parse `--map question=stem`; None if none was given.

    `allow_none`: `--map target=` says that the file has no such column. Raises
    ConfigError for another form.
    """
    mapping = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not equals or not field or not (column or allow_none):
            raise ConfigError(
                f"{option} {pair!r} is not FIELD=COLUMN, such as question=stem."
            )
        mapping[field] = column
    return mapping or None


def parse_tags(pairs: Iterable[str]) -> dict[str, str] | None:
    """Parse `--tag subject=Subject`, or `--tag subject` for a column of that name.

    None if none was given. Raises ConfigError for a name that is none.
    """
    tags = {}
    for pair in pairs:
        name, equals, column = pair.partition("=")
        is_name = re.fullmatch(INPUT_NAME, name) is not None
        if not is_name or (equals and not column):
            raise ConfigError(
                f"--tag {pair!r} is not NAME=COLUMN, such as subject=Subject, with a name "
                "of small letters, digits and _."
            )
        tags[name] = column or name
    return tags or None


def parse_names(names: str | None) -> list[str] | None:
    """Parse the names in `--labels entailment,neutral` or `--header question,answer`.

    None if the option was not given.
    """
    return None if names is None else [name.strip() for name in names.split(",")]


def parse_file_format(name: str | None) -> FileFormat | None:
    """Parse `--as csv`; raises ConfigError for another format."""
    if name is None or name in FILE_FORMATS:
        return name
    raise ConfigError(
        f"--as {name!r} is no format. Use one of {', '.join(FILE_FORMATS)}."
    )


def parse_join(name: str | None) -> Join | None:
    """Parse `--join question`; raises ConfigError for another way to join."""
    if name is None or name in JOINS:
        return name
    raise ConfigError(f"--join is {name!r}. Use one of {', '.join(JOINS)}.")


def exemplar_settings(text: str | None) -> dict[str, Any]:
    """Parse `--exemplars train:5`; raises ConfigError for another form."""
    if text is None:
        return {}
    split, colon, count = text.partition(":")
    if not split or (colon and not count.isdecimal()):
        raise ConfigError(
            f"--exemplars {text!r} is not SPLIT or SPLIT:COUNT, such as train:3."
        )
    return {"exemplars.split": split, "exemplars.count": int(count) if count else None}
