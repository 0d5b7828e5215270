"""A machine as frozen values; None is "unknown"."""

from reprokit.errors import ConfigError
from reprokit.values import dataclass, replace


@dataclass(frozen=True)
class Card:
    """One GPU.

    Attributes:
        name: as its driver, or the user, says it.
        capability: its compute capability, e.g. `9.0`.
        kind: `datacenter`, `workstation`, `consumer` or `jetson`.
    """

    name: str
    capability: str | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Machine:
    """What decides whether a stack can run.

    Attributes:
        driver: version of the NVIDIA driver; on WSL that of Windows.
        cuda: the newest CUDA that the driver says it serves.
        cards: the GPUs that this process may use.
        wsl: whether it is Linux inside Windows.
        platform: `linux/amd64` or `linux/arm64`.
        glibc: version of the C library.
        free_bytes: free space where environments are kept.
        toolkit: whether the engine can hand a GPU to a container; None: unknown, or not asked.
        reason: why there is no driver or no GPU.
        described: told by the user, and not looked at.
    """

    driver: str | None = None
    cuda: str | None = None
    cards: tuple[Card, ...] = ()
    wsl: bool = False
    platform: str | None = None
    glibc: str | None = None
    free_bytes: int | None = None
    toolkit: bool | None = None
    reason: str | None = None
    described: bool = False

    def document(self) -> dict[str, object]:
        """The machine as JSON."""
        return {**vars(self), "cards": [vars(card) for card in self.cards]}


def described(
    names: tuple[str, ...], driver: str | None, *, platform: str | None = None
) -> Machine:
    """A machine that is not this one.

    Args:
        names: its GPUs by name (`H100`), or by compute capability (`9.0`, `sm_90`).
        driver: version of its driver, e.g. `550.54`.
        platform: of its processor, where known.

    Raises:
        ConfigError: the driver is no version, or no GPU of that name is in the table.
    """
    import re

    if driver is not None and not re.fullmatch(r"\d{3}(\.\d+){0,2}", driver):
        raise ConfigError(
            "bad-driver", f"`{driver}` is no version of a driver", hint="write it as `550.54.15`"
        )
    cards = tuple(card_named(name) for name in names)
    return Machine(driver=driver, cards=cards, platform=platform, described=True)


def card_named(name: str) -> Card:
    """A GPU by name or by compute capability.

    Raises:
        ConfigError: the table has no GPU of that name.
    """
    import re

    from reprokit.stacks.facts import lookup

    if row := lookup.gpu(name):
        return Card(row.name, row.capability, row.kind)
    if found := re.fullmatch(r"(?:sm_)?(\d{1,2})\.?(\d)", name):
        return Card(f"a GPU of compute capability {found[1]}.{found[2]}", f"{found[1]}.{found[2]}")
    like = lookup.gpu_like(name)
    near = f"did you mean `{like}`?" if like else "`reprokit facts gpus` lists those that are known"
    raise ConfigError(
        "no-gpu-name",
        f"the table of GPUs has no `{name}`",
        hint=f"{near} Or give its compute capability: `--gpu 8.6`",
    )


def with_kinds(machine: Machine) -> Machine:
    """The same machine, each GPU with the kind that the table has for its name."""
    from reprokit.stacks.facts import lookup

    cards = []
    for card in machine.cards:
        row = lookup.gpu(card.name)
        cards.append(card if row is None else replace(card, kind=row.kind))
    return replace(machine, cards=tuple(cards))
