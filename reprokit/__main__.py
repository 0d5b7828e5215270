"""`reprokit` and `python -m reprokit`."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    """Run the command line and exit with its code; Ctrl-C while we are still being imported is one, too."""
    try:
        _main()
    except KeyboardInterrupt:
        os._exit(130)


def _main() -> None:
    """The quickest way to do what the words ask for."""
    words = sys.argv[1:]
    if words in (["--version"], ["-V"]):
        from reprokit import __version__

        print(f"reprokit {__version__}")  # noqa: T201 - the one answer that needs no renderer
        return
    if words[:1] == ["run"]:
        from reprokit.cli.plain import run_options

        options = run_options(words[1:])
        if options is not None:
            _leave(_run(words, options))
    from reprokit.cli.app import run

    sys.exit(run(words))


def _run(words: list[str], options: "dict[str, Any]") -> int:
    from reprokit.cli.guard import guarded

    def job() -> int:
        from reprokit.cli.job import perform

        return perform(**options)

    return guarded(words, job)


def _leave(code: int) -> None:
    """Exit without taking the interpreter down first, which takes 9 ms; nothing is left to be done at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Whoever read our words has gone.
            code = code or 1
    os._exit(code)


if __name__ == "__main__":
    main()
