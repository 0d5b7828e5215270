"""Git's id of a tree, computed here, so that archives and repositories name trees alike."""

import hashlib
from collections.abc import Sequence

from reprokit.source.model import Entry


def tree_id(entries: Sequence[Entry], object_format: str = "sha1") -> str:
    """Git's id of the tree that holds exactly these files."""
    rows: list[tuple[bytes, bytes, bytes]] = []
    below: dict[bytes, list[Entry]] = {}
    for entry in entries:
        name, slash, rest = entry.path.partition(b"/")
        if slash:
            inner = Entry(rest, entry.mode, entry.oid, entry.git_oid)
            below.setdefault(name, []).append(inner)
        else:
            rows.append(
                (name, b"%b %b" % (entry.mode.encode("ascii"), name), bytes.fromhex(entry.oid))
            )
    for name, inside in below.items():
        oid = bytes.fromhex(tree_id(inside, object_format))
        rows.append(
            (name + b"/", b"40000 %b" % name, oid)
        )  # git sorts a folder as if its name ended in /
    body = b"".join(b"%b\0%b" % (head, oid) for _, head, oid in sorted(rows))
    return hashlib.new(
        object_format, b"tree %d\0%b" % (len(body), body), usedforsecurity=False
    ).hexdigest()
