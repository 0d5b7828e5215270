"""The stack of a run as seen from within it: layers gathered and timed -> one snapshot.

`python -I -S probe.py`, run by any Python from 3.7 on, prints the snapshot of the environment that
this Python belongs to.
"""

from __future__ import annotations

import os
import sys
import time

if __name__ == "__main__":
    # Under -I nothing puts our own package on the path.
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from reprokit.inside.layers import (
    _reading,
    driver,
    framework,
    hardware,
    packages,
    python,
    randomness,
    system,
)

# `typing` takes 3 ms to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCHEMA = "reprokit/snapshot/1"
# Bottom up, as a person reads the ML stack. What the host knows (code, data, config) follows.
LAYERS: tuple[Any, ...] = (hardware, driver, system, python, packages, framework, randomness)


def take(given: dict[str, Any]) -> dict[str, Any]:
    """Look at this process's environment, layer by layer. It never raises because of a layer.

    Args:
        given: layers that the host observed (`code`, `data`, `config`, `environment`), each a dict.
            A layer that is observed here is never taken from it.

    Returns:
        The snapshot: `schema`, `taken_at` (UTC), `layers` (name -> facts, or `{"unknown": reason}`
        for a layer whose gatherer failed) and `durations_ms` (name -> milliseconds), apart from the
        facts so that two snapshots of the same stack have the same layers.
    """
    layers: dict[str, Any] = {}
    durations: dict[str, float] = {}
    for gatherer in LAYERS:
        begun = time.perf_counter()
        layers[gatherer.NAME] = _gather(gatherer)
        durations[gatherer.NAME] = round((time.perf_counter() - begun) * 1000, 3)
    for name, facts in given.items():
        layers.setdefault(name, facts)
    return {
        "schema": SCHEMA,
        "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "layers": layers,
        "durations_ms": durations,
    }


def _gather(gatherer: Any) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = gatherer.gather()
    except Exception as error:
        return {"unknown": _reading.reason(error)}
    return facts


def main() -> int:
    """Print the snapshot as JSON."""
    import json

    sys.stdout.write(json.dumps(take({}), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
