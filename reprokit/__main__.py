"""`reprokit` and `python -m reprokit`."""

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from reprokit import __version__

        print(f"reprokit {__version__}")  # noqa: T201 - the one answer that needs no renderer
        return
    from reprokit.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
