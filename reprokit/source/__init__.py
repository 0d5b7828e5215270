"""The exact code of a run: the user's working tree -> a stored tree -> the copy that runs."""

from reprokit.source.capture import MAX_UNTRACKED_BYTES, capture
from reprokit.source.copy import leftovers, materialise, stamps_path
from reprokit.source.forget import forget
from reprokit.source.git import Look, look
from reprokit.source.model import Source, Submodule

__all__ = [
    "MAX_UNTRACKED_BYTES",
    "Look",
    "Source",
    "Submodule",
    "capture",
    "forget",
    "leftovers",
    "look",
    "materialise",
    "stamps_path",
]
