"""Pictures of questions: where they come from, how they are checked, where they are kept."""

from cotbuild.builder.media.check import identify_image
from cotbuild.builder.media.faults import BadImage
from cotbuild.builder.media.loader import ImageLoader
from cotbuild.builder.media.store import MediaStore, PreviewStore, media_folder

__all__ = [
    "BadImage",
    "ImageLoader",
    "MediaStore",
    "PreviewStore",
    "identify_image",
    "media_folder",
]
