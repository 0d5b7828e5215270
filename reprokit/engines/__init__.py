"""How a run is isolated: one protocol (`base`), one file an engine."""

from reprokit.engines.base import Engine
from reprokit.errors import ConfigError
from reprokit.suggest import did_you_mean

ENGINES = ("docker", "venv")


def engine_named(name: str) -> Engine:
    """The engine of that name, its own library imported only now.

    Raises:
        KeyError: no such engine; the command line and the records only hold names from `ENGINES`.
    """
    if name == "venv":
        from reprokit.engines.venv import VenvEngine

        return VenvEngine()
    if name == "docker":
        from reprokit.engines.docker import DockerEngine

        return DockerEngine()
    raise KeyError(name)


def checked_name(name: str) -> str:
    """An engine's name as the user typed it.

    Raises:
        ConfigError: there is no such engine.
    """
    if name not in (*ENGINES, "auto"):
        raise ConfigError(
            "no-engine",
            f"there is no engine `{name}`",
            where="--engine",
            hint=did_you_mean(name, (*ENGINES, "auto")),
        )
    return name
