"""The pins of a lock -> what is known on this machine of the room that they take, from environments made before."""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from reprokit.stacks.requirements import Pin, normalise
from reprokit.values import dataclass


@dataclass(frozen=True)
class Room:
    """What an environment needs of the disk.

    Attributes:
        known_bytes: installed size of the packages whose size is known here.
        known: how many packages these are.
        unknown: how many others the lock has; no lock and no index page tells sizes.
    """

    known_bytes: int
    known: int
    unknown: int


def room_for(pins: Iterable[Pin], home: Path) -> Room:
    """What is known of the size of `pins`: what the same wheels took in environments of the store `home`."""
    wanted = {(pin.name, pin.version) for pin in pins}
    sizes: dict[tuple[str, str], int] = {}
    for found in home.glob("envs/*/*/lib/python3*/site-packages/*.dist-info"):
        name, _, version = found.name.removesuffix(".dist-info").rpartition("-")
        key = (normalise(name), version)
        if key in wanted and key not in sizes:
            size = sum(_sizes(found / "RECORD"))
            if size:
                sizes[key] = size
    return Room(sum(sizes.values()), len(sizes), len(wanted) - len(sizes))


def _sizes(record: Path) -> Iterator[int]:
    try:
        with record.open(encoding="utf-8", newline="") as stream:
            for row in csv.reader(stream):
                if re.fullmatch(r"\d{1,15}", row[-1] if row else ""):
                    yield int(row[-1])
    except (OSError, UnicodeDecodeError, csv.Error):
        return
