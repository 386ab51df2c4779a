"""What the files of an import are called where no path may be. Pure."""

from cotbuild.builder.imports.hub_files import is_pinned
from cotbuild.builder.release.local_paths import last_part
from cotbuild.builder.sources.files import parallel_name, parse_parallel


def public_file_name(file: str) -> str:
    """Return the name of a file, or of files side by side, without folders.

    A dataset on the Hub keeps its owner.
    """
    if is_pinned(file):
        return file
    files = parse_parallel(file)
    return last_part(file) if files is None else parallel_name(files)
