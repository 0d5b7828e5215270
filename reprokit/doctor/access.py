"""Check `access`: does a Docker engine answer, and if not, why?"""

from reprokit.doctor.engine_facts import EngineFacts
from reprokit.doctor.model import Context, Finding

NAME = "access"
TITLE = "Docker access"


def run(context: Context) -> Finding:
    """Say what stands between the user and an engine."""
    return decide(context.engine)


def decide(facts: EngineFacts) -> Finding:
    """No Docker at all is a choice: trainings then run in virtual environments. A broken one is a failure."""
    trouble = facts.trouble
    if trouble is None:
        return Finding("ok", f"an engine answers at {facts.endpoint}")
    if not facts.intended:
        return Finding(
            "warn",
            f"{trouble.reason}: trainings run in virtual environments",
            "install Docker for isolated runs: https://docs.docker.com/engine/install/",
        )
    fix = trouble.fix
    if facts.elsewhere:
        fix = f"`export DOCKER_HOST={facts.elsewhere[0]}`; else {fix}"
    return Finding("fail", trouble.reason, fix)
