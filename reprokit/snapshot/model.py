"""`snapshot.json` -> a frozen `Snapshot`, and the `Summary` of it that people are shown first.

The layers stay plain facts: they are written by the probe of the version that ran, which may be
older or newer than this reader, so only what a summary needs is looked at, and a fact that is not
there is None.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reprokit.errors import IntegrityError, NotFoundError
from reprokit.files import read_json
from reprokit.values import dataclass

SCHEMA = "reprokit/snapshot/1"


@dataclass(frozen=True)
class Snapshot:
    """The stack as one run observed it.

    Attributes:
        taken_at: when, in UTC.
        layers: layer name -> facts; a layer that could not be read holds only `unknown`, why.
        durations_ms: layer name -> how long the probe took for it.
        observed: what each process of the training saw in force when it ended.
    """

    taken_at: str
    layers: Mapping[str, Mapping[str, Any]]
    durations_ms: Mapping[str, float]
    observed: Sequence[Mapping[str, Any]] = ()

    def layer(self, name: str) -> Mapping[str, Any]:
        """The facts of a layer; nothing where the snapshot has no such layer."""
        return self.layers.get(name, {})

    @property
    def unknown(self) -> dict[str, str]:
        """Layers that could not be read -> why."""
        return {
            name: str(facts["unknown"])
            for name, facts in self.layers.items()
            if set(facts) == {"unknown"}
        }


@dataclass(frozen=True)
class Summary:
    """The few facts that say which stack it was; None where the probe could not tell.

    Attributes:
        torch: version of PyTorch, None where there is none.
        cuda: the CUDA that this torch was built for.
        python: version of the interpreter.
        cpu: model name.
        cpus: logical processors that the run could use.
        memory_bytes: of the machine.
        gpus: names of the GPUs.
        driver: version of the NVIDIA driver.
        system: name of the distribution.
        kernel: release of the kernel.
        packages: how many Python distributions.
        system_packages: how many packages of the distribution.
        seed: the run's seed.
        determinism: the run's mode.
    """

    torch: str | None
    cuda: str | None
    python: str | None
    cpu: str | None
    cpus: int | None
    memory_bytes: int | None
    gpus: tuple[str, ...]
    driver: str | None
    system: str | None
    kernel: str | None
    packages: int
    system_packages: int
    seed: int | None
    determinism: str | None


def load(path: Path) -> Snapshot:
    """Read a snapshot.

    Raises:
        NotFoundError: there is none at `path`.
        IntegrityError: it is truncated, no snapshot, or of a schema that this version cannot read.
    """
    try:
        document = read_json(path)
    except FileNotFoundError:
        raise NotFoundError("no-snapshot", "there is no snapshot", where=str(path)) from None
    except (OSError, ValueError) as error:
        raise _bad(f"cannot be read: {error}", str(path)) from error
    return parse(document, where=str(path))


def parse(document: Mapping[str, Any], *, where: str) -> Snapshot:
    """A snapshot's document as a value.

    Raises:
        IntegrityError: `document` is no snapshot or of another schema.
    """
    schema = document.get("schema")
    if schema != SCHEMA:
        raise IntegrityError(
            "snapshot-schema",
            f"the snapshot has schema {schema!r}, this version reads {SCHEMA!r}",
            where=where,
            hint="read it with the version of ReproKit that wrote it, or a newer one",
        )
    layers, observed = document.get("layers", {}), document.get("observed", [])
    if not isinstance(layers, dict) or not all(isinstance(each, dict) for each in layers.values()):
        raise _bad("has layers that are no objects", where)
    if not isinstance(observed, list) or not all(isinstance(each, dict) for each in observed):
        raise _bad("has observations that are no objects", where)
    if "unknown" in document:
        layers = {**layers, "probe": {"unknown": str(document["unknown"])}}
    return Snapshot(
        taken_at=str(document.get("taken_at", "")),
        layers=layers,
        durations_ms=_object(document, "durations_ms"),
        observed=tuple(observed),
    )


def _bad(what: str, where: str) -> IntegrityError:
    return IntegrityError("bad-snapshot", f"the snapshot {what}", where=where)


def _object(facts: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A fact that is an object; an empty one where it is missing or something else."""
    found = facts.get(key)
    return found if isinstance(found, dict) else {}


def _each(facts: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    """A fact that is a list of objects, likewise."""
    found = facts.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def summarize(snapshot: Snapshot) -> Summary:
    """The facts that a person wants to see first."""
    hardware, driver = snapshot.layer("hardware"), snapshot.layer("driver")
    system, randomness = snapshot.layer("system"), snapshot.layer("randomness")
    torch = _object(snapshot.layer("framework"), "torch")
    cpu, nvidia = _object(hardware, "cpu"), _object(driver, "nvidia")
    return Summary(
        torch=torch.get("version"),
        cuda=torch.get("cuda"),
        python=snapshot.layer("python").get("version"),
        cpu=cpu.get("model"),
        cpus=cpu.get("usable"),
        memory_bytes=hardware.get("memory_bytes"),
        gpus=tuple(str(gpu.get("name")) for gpu in _each(hardware, "gpus")),
        driver=nvidia.get("library") or nvidia.get("module"),
        system=_object(system, "os").get("name"),
        kernel=_object(driver, "kernel").get("release"),
        packages=len(_each(snapshot.layer("packages"), "distributions")),
        system_packages=len(_object(system, "packages")),
        seed=randomness.get("seed"),
        determinism=randomness.get("determinism"),
    )
