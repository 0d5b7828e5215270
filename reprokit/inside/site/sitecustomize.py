"""Run by Python at the start of each process of a training: our hook, then the environment's own.

It is found through PYTHONPATH, so it hides a `sitecustomize` that the environment has; that one is
run as if it had been found. Nothing that goes wrong in the hook reaches the training.
"""

import os
import sys


def _begin() -> None:
    """Start the hook, in a run only; a failure is noted beside what the hook would have written."""
    run_dir = os.environ.get("REPROKIT_RUN_DIR")
    if not run_dir:
        return
    try:
        from reprokit.inside.hook import begin

        begin.begin(run_dir, note)
    except Exception as error:
        note(run_dir, "hook: %s: %s" % (type(error).__name__, error))


def note(run_dir: str, words: str) -> None:
    """Write that the hook itself failed, without any code of the hook."""
    import json

    facts = {"schema": "reprokit/observed/1", "pid": os.getpid(), "errors": [words]}
    folder = os.path.join(run_dir, "observed")
    path = os.path.join(folder, "%d.json" % os.getpid())
    try:
        os.makedirs(folder, exist_ok=True)
        with open(path + ".tmp", "w", encoding="utf-8") as stream:
            json.dump(facts, stream)
        os.replace(path + ".tmp", path)
    except OSError:
        # The run folder cannot be written: there is no place left to say so, and the training
        # matters more.
        pass


def _chain() -> None:
    """Run the `sitecustomize` that comes after this one on the path; its errors are its own."""
    here = os.path.dirname(os.path.abspath(__file__))
    places = [os.path.abspath(entry) for entry in sys.path]
    # Only what comes later: of two kits on one path the first runs the second, never back.
    later = sys.path[places.index(here) + 1 :] if here in places else []
    for finder in list(sys.meta_path):
        find = getattr(finder, "find_spec", None)
        spec = find("sitecustomize", later) if find and later else None
        if spec is not None and spec.loader is not None:
            from importlib.util import module_from_spec

            module = module_from_spec(spec)
            sys.modules["sitecustomize"] = module
            spec.loader.exec_module(module)
            return


_begin()
_chain()
