"""The loader of a source's pictures."""

from pathlib import Path

from cotbuild.builder.media import ImageLoader, MediaStore, PreviewStore
from cotbuild.builder.media.fetched import FETCHED, FetchedPictures
from cotbuild.builder.sources.files import parse_parallel
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError


def open_loader(
    config: SourceConfig,
    media: MediaStore | None = None,
    store_dir: Path | None = None,
) -> ImageLoader:
    """Return the loader of the pictures of a source.

    Args:
        config: The source; it says which folder paths lead below, and whether URLs are
            fetched.
        media: Where the pictures are put; None to write none.
        store_dir: The answer store, which remembers what URLs gave; None to forget it.

    Raises:
        ConfigError: The folder of the pictures does not exist.
    """
    fetched = None
    if config.fetch_images:
        fetched = FetchedPictures(None if store_dir is None else store_dir / FETCHED)
    return ImageLoader(
        PreviewStore() if media is None else media,
        _find_folder(config),
        fetched=fetched,
    )


def _find_folder(config: SourceConfig) -> Path | None:
    """Return the folder below which the paths of pictures lead, None if there is none."""
    if config.images is not None:
        folder = Path(config.images).expanduser()
        if not folder.is_dir():
            raise ConfigError(
                f"--images {config.images!r}: no such folder. Pass the one that the "
                "paths of the pictures begin in."
            )
        return folder
    files = parse_parallel(config.name)
    path = Path(config.name) if files is None else next(iter(files.values()))
    if path.is_dir():
        return path
    return path.parent if path.exists() else None
