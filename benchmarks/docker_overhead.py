"""Engine docker adds at most 0.25 s to `docker run` of the same image and command."""

import json

from benchmarks.bed import Bed, alone, docker_answers
from benchmarks.paired import Claim, Contender, judged, measure

LIMIT_S = 0.25


def benchmark(bed: Bed) -> bool:
    """Whether the claim holds; the numbers are printed. Without Docker there is nothing to measure."""
    if not docker_answers():
        print("\noverhead of a run, engine docker: NOT MEASURED, no Docker engine answers")
        return True
    run = json.loads(bed.call(*bed.run("docker", "--json")))["run"]
    image = run["environment"]["location"]
    place = {"cwd": bed.workspace, "env": bed.env}
    by_hand = ["docker", "run", "--rm", "--network=none", image, *run["argv"]]
    contenders = [
        Contender("docker run --rm", by_hand, **place),
        Contender("reprokit run", bed.run("docker"), **place),
    ]

    def look() -> list[Claim]:
        bare, ours = measure(contenders, rounds=11).values()
        return [Claim("added to `docker run`", (ours - bare) / 1000, LIMIT_S, " s")]

    try:
        return judged("overhead of a run, engine docker", look)
    finally:
        bed.call("docker", "image", "rm", "--force", image)


if __name__ == "__main__":
    alone(benchmark)
