"""`reprokit check` and `lock --check` answer from files alone: at most so much of the program that they spare."""

from benchmarks.bed import Bed, alone
from benchmarks.paired import Claim, Contender, judged, measure

CHECK_MS = 300.0


def benchmark(bed: Bed) -> bool:
    """Whether the claims hold; the numbers are printed."""
    place = {"cwd": bed.workspace, "env": bed.env}
    uv = bed.python.with_name("uv")
    # The inputs of the locks that are checked: the stack's and its tools'.
    (bed.workspace / "wanted.in").write_text(
        "torch==2.13.0+cpu\nnumpy\njupyterlab\ndebugpy\nipdb\n"
    )
    compile_ = [uv, "pip", "compile", "-q", "--generate-hashes", "--python-version", "3.11"]
    find_links = bed.env.get("PIP_FIND_LINKS", "").split()
    options = [word for folder in find_links for word in ("--find-links", folder)]
    bed.call(*compile_, *options, "wanted.in", "-o", "wanted.lock")
    contenders = [
        Contender("reprokit check cpu", [bed.reprokit, "check", "cpu"], **place),
        Contender("reprokit lock cpu --check", [bed.reprokit, "lock", "cpu", "--check"], **place),
        Contender(
            "uv pip compile --offline",
            [*compile_, *options, "--offline", "wanted.in", "-o", "wanted.lock"],
            **place,
        ),
    ]

    def look() -> list[Claim]:
        check, lock_check, uv_compile = measure(contenders).values()
        return [
            Claim("check / 0.3 s", check / CHECK_MS, 1.0),
            Claim("lock --check / uv pip compile --offline", lock_check / uv_compile, 1.5),
        ]

    return judged("checking without a network", look)


if __name__ == "__main__":
    alone(benchmark)
