"""The plan: one fully resolved run before it happens.

Everything that decides a run is in this frozen value; nothing later looks at the config or the command line.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from reprokit.config import ProjectConfig, Resources, fill
from reprokit.errors import ConfigError, MachineError
from reprokit.redact import cut_all
from reprokit.values import asdict, dataclass, replace

STOP_GRACE_S = 10.0
# Shorter values are words like `true` that stand in many a command by chance.
SECRET_LENGTH = 6
# cuBLAS picks a workspace for each stream unless it is told one; needed for bitwise results up to torch 2.9
# and harmless after (docs/determinism.md).
CUBLAS_WORKSPACE = ":4096:8"


@dataclass(frozen=True)
class Plan:
    """One run as it is meant.

    Attributes:
        argv: the command, parameters filled in; never passed through a shell.
        cwd: where it runs, relative to the root of the source.
        variables: environment variables that do not depend on the engine.
        passed: names of variables let through from the host; their values are never recorded.
        data: dataset name -> absolute path on this machine; mounted read-only.
        places: path relative to the root of the source -> the data that the project's own paths expect there.
        keep: folders, relative to `cwd`, whose content belongs to the run.
        environment: id of the environment, named by its content.
        locks: lock name -> digest.
    """

    run_id: str
    project: str
    stack: str
    engine: str
    scheduler: str
    argv: tuple[str, ...]
    cwd: PurePosixPath
    seed: int
    determinism: str
    params: Mapping[str, Any]
    variables: Mapping[str, str]
    passed: tuple[str, ...]
    data: Mapping[str, Path]
    places: Mapping[str, Path]
    keep: tuple[str, ...]
    resources: Resources
    environment: str
    locks: Mapping[str, str]
    stop_grace_s: float = STOP_GRACE_S

    def document(self) -> dict[str, object]:
        """The plan as `plan.json`."""
        return {
            "schema": "reprokit/plan/1",
            **asdict(self),
            "argv": cut_all(self.argv),
            "params": cut_all(self.params),
            "variables": cut_all(self.variables),
            "cwd": str(self.cwd),
            "data": {name: str(path) for name, path in self.data.items()},
            "places": {name: str(path) for name, path in self.places.items()},
        }


def make_plan(
    config: ProjectConfig,
    *,
    run_id: str,
    engine: str,
    cwd: PurePosixPath,
    data: Mapping[str, Path],
    environment: str,
    locks: Mapping[str, str],
    host: Mapping[str, str],
) -> Plan:
    """Join a config with what the workspace and the command line say.

    Args:
        config: the config, overrides applied.
        run_id: the id that this run will have.
        engine: `docker` or `venv`.
        cwd: the project's folder, relative to the workspace (see `in_source`).
        data: dataset name -> absolute path.
        environment: `env_id` of the environment.
        locks: lock name -> digest.
        host: the caller's environment; only its names and the ones asked for are looked at.

    Raises:
        ConfigError: a variable that the config lets through is not set, or is one of ours.
    """
    return Plan(
        run_id=run_id,
        project=config.project,
        stack=stack_name(config),
        engine=engine,
        scheduler="local",
        argv=fill(config.run, config.params),
        cwd=cwd,
        seed=config.seed,
        determinism=config.determinism,
        params=config.params,
        variables=_variables(config, run_id),
        passed=_passed(config, host),
        data=data,
        places={},
        keep=config.outputs.keep,
        resources=config.resources,
        environment=environment,
        locks=locks,
    )


def in_source(plan: Plan, prefix: PurePosixPath, places: Mapping[str, Path]) -> Plan:
    """The plan, once it is known how the source is kept.

    Args:
        plan: as `make_plan` made it.
        prefix: where the workspace lies in the source.
        places: path relative to the root of the source -> data.
    """
    return replace(plan, cwd=prefix / plan.cwd, places=places)


def refuse_secrets(plan: Plan, host: Mapping[str, str]) -> None:
    """Refuse a command or parameters that hold the value of a variable that is let through: they are recorded.

    Raises:
        ConfigError: it does.
    """
    for name in plan.passed:
        value = host.get(name, "")
        if len(value) >= SECRET_LENGTH and any(
            value in word for word in (*plan.argv, *_texts(plan.params))
        ):
            raise ConfigError(
                "secret-in-argv",
                f"the command or a parameter holds the value of {name}, and they are recorded",
                hint=f"let the program read {name} from its environment",
            )


def _texts(value: Any) -> Iterator[str]:
    """Every text in the values of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def need_gpus(wanted: int, found: int, *, where: str, hint: str) -> None:
    """Stop a run that asks for more GPUs than there are; there is no quiet run on the CPU.

    Raises:
        MachineError: fewer than `wanted` were found.
    """
    if found < wanted:
        raise MachineError(
            "no-gpu",
            f"the run asks for {wanted} GPU{'s' * (wanted > 1)} and {where} has {found or 'none'}",
            hint=hint,
        )


def stack_name(config: ProjectConfig) -> str:
    """The folder of `envs/` that a config names.

    Raises:
        ConfigError: the stack is written inline.
    """
    if isinstance(config.stack, str):
        return config.stack
    raise ConfigError(
        "inline-stack",
        "a stack written inside a config has no lock to build from",
        where="stack",
        hint="move it to `envs/NAME/stack.yaml`, run `reprokit lock NAME`, and write `stack: NAME`",
    )


def _variables(config: ProjectConfig, run_id: str) -> dict[str, str]:
    import json

    variables = {
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        "REPROKIT_RUN_ID": run_id,
        "REPROKIT_PROJECT": config.project,
        "REPROKIT_SEED": str(config.seed),
        "REPROKIT_DETERMINISM": config.determinism,
        "REPROKIT_PARAMS": json.dumps(config.params, separators=(",", ":"), sort_keys=True),
    }
    if config.resources.gpus == 0:
        variables["CUDA_VISIBLE_DEVICES"] = ""
    if config.determinism != "off":
        variables["PYTHONHASHSEED"] = str(config.seed)
        variables["CUBLAS_WORKSPACE_CONFIG"] = CUBLAS_WORKSPACE
        variables |= {"OMP_DYNAMIC": "FALSE", "MKL_DYNAMIC": "FALSE"}
    if config.resources.cpus is not None:
        # The number of threads is part of the numbers: 1 and 2 threads part at step 0.
        threads = str(max(1, int(config.resources.cpus)))
        variables |= {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    return variables


_OURS = re.compile(r"^(REPROKIT_\w+|PYTHON(PATH|HASHSEED|HOME)|PATH|HOME|TMPDIR|LD_PRELOAD)$")


def _passed(config: ProjectConfig, host: Mapping[str, str]) -> tuple[str, ...]:
    for name in config.env:
        if _OURS.match(name):
            raise ConfigError("reserved-variable", f"{name} is set by ReproKit", where="env")
        if name not in host:
            raise ConfigError(
                "unset-variable",
                f"the config lets {name} through, and it is not set",
                where="env",
                hint=f"`export {name}=...`, or take it out of `env:`",
            )
    return config.env
