"""The digest of the code that derives rows: a build is up to date only as long as that
code is the same.
"""

import contextlib
import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import CodeType

from cotbuild.builder.storage.cache import cache_dir
from cotbuild.schemas.files import write_text_atomic

DERIVING = (
    "cotbuild.schemas",
    "cotbuild.prompts.defaults",
    "cotbuild.prompts.exemplar",
    "cotbuild.prompts.inputs",
    "cotbuild.prompts.response_format",
    "cotbuild.prompts.template",
    "cotbuild.prompts.versioned",
    "cotbuild.builder.generate.assemble",
    "cotbuild.builder.generate.attempts",
    "cotbuild.builder.generate.chains",
    "cotbuild.builder.generate.derivation",
    "cotbuild.builder.generate.encoded_rows",
    "cotbuild.builder.generate.follow",
    "cotbuild.builder.generate.exemplars",
    "cotbuild.builder.generate.grading",
    "cotbuild.builder.generate.import_job",
    "cotbuild.builder.generate.jobs",
    "cotbuild.builder.generate.known_answers",
    "cotbuild.builder.generate.rows",
    "cotbuild.builder.generate.score_means",
    "cotbuild.builder.generate.teacher_job",
    "cotbuild.builder.hub",
    "cotbuild.builder.imports",
    "cotbuild.builder.math_metric",
    "cotbuild.builder.media",
    "cotbuild.builder.sources",
    "cotbuild.builder.storage.answer_store",
    "cotbuild.builder.storage.arrow_schema",
    "cotbuild.builder.storage.arrow_tables",
    "cotbuild.builder.storage.images",
    "cotbuild.builder.storage.journal",
    "cotbuild.builder.storage.keys",
    "cotbuild.builder.storage.parquet",
    "cotbuild.builder.storage.parquet_rows",
)
"""Modules, and packages with all their modules, whose code plans requests and derives
rows.

A test follows the imports of the jobs and of `assemble`: it fails where a module is
missing here or is listed without need.
"""

NOT_DERIVING = (
    # The rows of a build whose texts are attempts.
    "cotbuild.builder.build.build",
    # Counts of the pictures that rows name, and whether each is there.
    "cotbuild.builder.build.images",
    # Where files go, and what is kept of the files before.
    "cotbuild.builder.build.directory",
    "cotbuild.builder.build.install",
    "cotbuild.builder.build.kept_variants",
    "cotbuild.builder.storage.places",
    # What a parquet file would take: a bound, which no row depends on.
    "cotbuild.builder.storage.parquet_pages",
    # Checksums that were computed before.
    "cotbuild.builder.storage.cache",
    # What a run spent.
    "cotbuild.builder.storage.usage",
    # Text about the rows and the run, and about packages that are missing.
    "cotbuild.builder.card",
    "cotbuild.builder.generate.plan",
    "cotbuild.builder.generate.prompt_tokens",
    "cotbuild.builder.packages",
    "cotbuild.builder.ui",
    "cotbuild.builder.version",
    "cotbuild.builder.visible",
    "cotbuild.builder.wrap",
    # Lines and refusals about templates, which are an input of their own.
    "cotbuild.builder.generate.shown_inputs",
    # How answers are obtained; they are stored, and the teacher's identity is an
    # input of its own.
    "cotbuild.builder.build.recorded",
    "cotbuild.builder.event_loop",
    "cotbuild.builder.generate.accounts",
    "cotbuild.builder.generate.asking",
    "cotbuild.builder.generate.budget",
    "cotbuild.builder.generate.worker_options",
    "cotbuild.builder.generate.workers",
    "cotbuild.builder.retry_after",
    "cotbuild.builder.teachers",
    "cotbuild.builder.generate.code_digest",
    # What the child that compares expressions is started with, and those that derive
    # rows; how many there are decides no row.
    "cotbuild.builder.environment",
    "cotbuild.builder.processes",
)
"""What DERIVING imports, yet decides no row; their own imports are not followed."""


def code_digest(modules: Sequence[str] = DERIVING) -> str:
    """Return the digest of the code of `modules`, so that an edited helper never leaves
    stale rows behind.

    It covers the compiled code without line numbers, docstrings and asserts: comments
    and layout do not change it, another minor version of Python may.

    Compiling the code took 114 ms of CPU time where reading it took 5 (one run), so the
    digest is kept in the user's cache under a digest of the files' bytes.
    """
    files = [(name, path.read_bytes()) for name, path in module_files(modules)]
    note = cache_dir() / "code-digests" / _digest_bytes(files)
    with contextlib.suppress(OSError, UnicodeDecodeError):
        known = note.read_text(encoding="utf-8")
        if re.fullmatch(r"[0-9a-f]{64}", known):
            return known
    digest = _digest_code(files)
    with contextlib.suppress(OSError):  # the cache only saves time
        write_text_atomic(note, digest)
    return digest


def _digest_bytes(files: Sequence[tuple[str, bytes]]) -> str:
    total = hashlib.sha256(sys.version.encode())
    for name, data in files:
        total.update(f"{name}\n{len(data)}\n".encode() + data)
    return total.hexdigest()


def _digest_code(files: Sequence[tuple[str, bytes]]) -> str:
    total = hashlib.sha256(b"code/2\n")
    for name, data in files:
        code = compile(data, name, "exec", dont_inherit=True, optimize=2)
        total.update(f"{name}\n{_content(code)!r}\n".encode())
    return total.hexdigest()


def deriving_files() -> Iterator[tuple[str, Path]]:
    """Yield each file of DERIVING with its name, as `module_files` does."""
    return module_files(DERIVING)


def module_files(modules: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield each file of some modules with its name: that of the listed module, then
    the path inside of a package.
    """
    for module in modules:
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(
                f"{module!r} is listed in a digest but does not exist", name=module
            )
        if spec.submodule_search_locations is None:
            yield module, Path(spec.origin)
            continue
        folder = Path(spec.origin).parent
        for path in sorted(folder.rglob("*.py")):
            yield f"{module}/{path.relative_to(folder).as_posix()}", path


def _content(code: CodeType) -> tuple[object, ...]:
    """All of a code object that decides what it does; nothing of where in which file it
    stands.
    """
    return (
        code.co_name,
        code.co_flags,
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars),
        code.co_code,
        code.co_exceptiontable,
        tuple(_constant(value) for value in code.co_consts),
    )


def _constant(value: object) -> object:
    if isinstance(value, CodeType):
        return _content(value)
    if isinstance(value, tuple):
        return tuple(_constant(item) for item in value)
    if isinstance(value, frozenset):
        # The order of a set of strings differs from process to process.
        return ("frozenset", *sorted(map(repr, value)))
    return value
