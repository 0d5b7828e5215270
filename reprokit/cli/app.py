"""The table of commands, loaded one at a time."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from reprokit.cli.guard import guarded
from reprokit.errors import ConfigError

COMMANDS = {
    "init": "Adopt a repository: find its requirements, pick a stack, write config.yaml.",
    "run": "Run a project's training in its pinned environment, and record it.",
    "lock": "Write the hash-locked requirements of stacks and projects.",
    "dockerfile": "Write the dev and prod Dockerfiles of stacks.",
    "build": "Make the environment of a project: image or virtual environment.",
    "check": "Say whether a stack can run here, and which is the nearest that can.",
    "facts": "Print what is known of PyTorch, CUDA, drivers, GPUs and images.",
    "dev": "Open a shell or Jupyter in the dev container of a project.",
    "runs": "List runs.",
    "show": "Show what a run's record says.",
    "logs": "Print what a training printed.",
    "stop": "Stop a training.",
    "doctor": "Look for what stands between this machine and a run, and say what fixes it.",
    "schema": "Print the JSON Schema of the files that ReproKit writes.",
}

EPILOG = (
    "Exit codes: 0 ok, 1 the training failed, 2 usage or config, 3 not found, 4 environment or machine, "
    "5 integrity, 6 diverged, 7 locked, 130 interrupted."
)

HELP = """Pinned environments for deep-learning research, and runs that can be proved again.

\b
  reprokit run projects/digits/config.yaml       train, record
  reprokit run CONFIG -o params.lr=0.01          ... with another parameter
  reprokit runs                                  what has run
  reprokit show @last                            everything about the latest
"""


class LazyGroup(TyperGroup):
    """A group that imports a command's module only when that command is used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, in the order of a day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, from `reprokit.cli.NAME`."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"reprokit.cli.{cmd_name}")
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(cmd_name, help=module.HELP, no_args_is_help=False)(getattr(module, cmd_name))
        return typer.main.get_command(single)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The table of commands, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the words name.

        Raises:
            ConfigError: there is none; the nearest is named.
        """
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from reprokit.suggest import did_you_mean

            raise ConfigError(
                "no-command",
                f"there is no command `{args[0]}`",
                hint=did_you_mean(args[0], COMMANDS) or "`reprokit --help` lists them",
            )
        return super().resolve_command(ctx, args)


def run(words: Sequence[str]) -> int:
    """Run the command line; return its exit code."""
    return guarded(words, lambda: _invoke(list(words)))


def _invoke(words: list[str]) -> int:
    command = typer.main.get_command(_app())
    try:
        result = command.main(words, prog_name="reprokit", standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        return 130
    except SystemExit as stop:
        # Typer's own answer when whoever read our output has gone; ours says 0.
        raise BrokenPipeError from stop
    except Exception as error:
        # click's own errors (unknown option, missing argument) have this method; nothing else does.
        if not hasattr(error, "format_message"):
            raise
        raise ConfigError("usage", error.format_message(), hint="add `--help`") from error
    return result if isinstance(result, int) else 0


def _app() -> typer.Typer:
    app = typer.Typer(
        cls=LazyGroup,
        add_completion=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        help=HELP,
        epilog=EPILOG,
        no_args_is_help=True,
    )

    @app.callback(invoke_without_command=False)
    def top() -> None:
        pass

    return app
