"""A wrong name -> the right one that its writer most likely meant."""

from collections.abc import Iterable
from itertools import islice

# difflib compares letter by letter: these bounds keep a hostile file from buying minutes of it.
_LONGEST = 64
_MOST = 1000
_FEW = 20


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that looks most like `word`, or None when nothing comes near."""
    if len(word) > _LONGEST:
        return None
    from difflib import get_close_matches

    folded = {name.casefold(): name for name in islice(known, _MOST) if len(name) <= _LONGEST}
    found = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint for people: the closest name, else all where they are few; None when neither helps."""
    names = list(islice(known, _MOST))
    best = closest(word, names)
    if best is not None:
        return f"did you mean `{best}`?"
    if 0 < len(names) <= _FEW:
        return "known are: " + ", ".join(f"`{name}`" for name in names)
    return None
