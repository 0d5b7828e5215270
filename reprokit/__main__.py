"""`reprokit` and `python -m reprokit`."""

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(_run(sys.argv[1:]))


def _run(words: list[str]) -> int:
    """The quickest way to do what `words` ask for: typer, and what else is heavy, only if needed."""
    if words in (["--version"], ["-V"]):
        from reprokit import __version__

        print(f"reprokit {__version__}")  # noqa: T201 - the one answer that needs no renderer
        return 0
    if words[:1] == ["run"]:
        from reprokit.cli.plain import run_options

        options = run_options(words[1:])
        if options is not None:
            from reprokit.cli import guard, job

            return guard.guarded(words, lambda: job.perform(**options))
    from reprokit.cli.app import run

    return run(words)


if __name__ == "__main__":
    main()
