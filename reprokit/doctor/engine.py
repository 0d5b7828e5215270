"""Check `engine`: which Docker engine is it, and can it hold a run to its limits?"""

from reprokit.doctor.engine_facts import Engine
from reprokit.doctor.model import Context, Finding

NAME = "engine"
TITLE = "Docker engine"


def run(context: Context) -> Finding:
    """Describe the engine that answers."""
    engine = context.engine.engine
    return decide(engine) if engine else Finding("skip", "no engine answers")


def decide(engine: Engine) -> Finding:
    """Runs are Linux containers with limits of memory, cpus and processes."""
    name = f"Docker {engine.version}, API {engine.api}, {engine.platform}"
    details = (f"image store {engine.storage}", f"runtimes {', '.join(engine.runtimes) or 'none'}")
    if not engine.platform.startswith("linux/"):
        return Finding(
            "fail", f"{name}: it does not run Linux containers", "switch it to Linux containers"
        )
    if engine.unlimited:
        fix = (
            "give the rootless engine those controllers: "
            "https://docs.docker.com/engine/security/rootless/tips/"
            if engine.rootless
            else "enable those cgroup controllers in the kernel (memory: `cgroup_enable=memory`)"
        )
        short = ", ".join(engine.unlimited)
        return Finding("warn", f"{name}; it cannot limit a run's {short}", fix, details)
    return Finding("ok", name + (", rootless" if engine.rootless else ""), None, details)
