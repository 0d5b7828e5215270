"""Check `gpu`: which NVIDIA GPUs can be used, and if none, is that so by nature or by accident?"""

import os

from reprokit.doctor.gpu_facts import Card, GpuFacts
from reprokit.doctor.model import Context, Finding

NAME = "gpu"
TITLE = "GPU driver"

GIB = 1 << 30


def run(context: Context) -> Finding:
    """Describe driver and GPUs."""
    return decide(context.gpus, os.environ.get("CUDA_VISIBLE_DEVICES"))


def decide(facts: GpuFacts, visible: str | None = None) -> Finding:
    """A machine without a GPU is fine. One with a GPU that its driver cannot use is not.

    Args:
        facts: what driver and bus say.
        visible: CUDA_VISIBLE_DEVICES, which hides GPUs from trainings.
    """
    if facts.problem is not None:
        return _without(facts)
    driver = f"driver {facts.driver}, CUDA up to {facts.cuda}"
    if facts.lost:
        return Finding(
            "fail",
            f"{driver}; {len(facts.lost)} of the GPUs do not answer",
            "reset them (`sudo nvidia-smi --gpu-reset`) or reboot; `sudo dmesg | grep -i xid` says more",
            facts.lost,
        )
    if not facts.cards:
        return _no_cards(facts, driver)
    note = () if visible is None else (f"CUDA_VISIBLE_DEVICES leaves trainings `{visible}`",)
    return Finding("ok", f"{_listed(facts.cards)}; {driver}", None, note)


# What fixes a driver that is there and fails, by what is wrong with it.
BROKEN = {
    "mismatch": ("the driver was upgraded and the old one is still loaded", "reboot"),
    "no-permission": (
        "you may not use the GPU driver",
        "ask for access to /dev/nvidia* (on many systems: the group `video`)",
    ),
    "other": ("the GPU driver fails", "`nvidia-smi` may say more"),
}


def _without(facts: GpuFacts) -> Finding:
    """NVML cannot be asked."""
    if facts.problem is not None and facts.problem in BROKEN:
        text, fix = BROKEN[facts.problem]
        return Finding("fail", f"{text}: {facts.said}", fix)
    if facts.problem == "no-driver" and facts.on_bus:
        return Finding(
            "fail",
            f"{_gpus(facts.on_bus)} on the bus and a driver that is installed but not loaded",
            "`sudo modprobe nvidia`; if that fails, install the driver again for this kernel",
        )
    if facts.wsl:
        return Finding(
            "warn",
            "the GPU driver of Windows is not visible in WSL",
            "install NVIDIA's driver in Windows (none in WSL), then `wsl --update`",
        )
    if facts.on_bus:
        return Finding(
            "warn",
            f"{_gpus(facts.on_bus)} on the bus and no NVIDIA driver: trainings run on the CPU",
            "install NVIDIA's driver: https://www.nvidia.com/drivers",
        )
    return Finding("ok", "no NVIDIA GPU here: trainings run on the CPU")


def _no_cards(facts: GpuFacts, driver: str) -> Finding:
    if facts.on_bus:
        return Finding(
            "fail",
            f"{driver}; {_gpus(facts.on_bus)} on the bus, and the driver shows none",
            "`sudo dmesg | grep -i nvrm` says why (an unsupported card, a failed start)",
        )
    return Finding("ok", f"{driver}; it shows no GPU to this process")


def _listed(cards: tuple[Card, ...]) -> str:
    """`2 x NVIDIA H200 (139.8 GiB, compute capability 9.0)`, each kind once."""
    kinds = {card: cards.count(card) for card in cards}
    return ", ".join(f"{count} x {_described(card)}" for card, count in kinds.items())


def _described(card: Card) -> str:
    memory = "memory unknown" if card.memory is None else f"{card.memory / GIB:.1f} GiB"
    return f"{card.name} ({memory}, compute capability {card.capability or 'unknown'})"


def _gpus(count: int) -> str:
    return f"{count} NVIDIA GPU{'s' * (count > 1)}"
