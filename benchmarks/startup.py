"""`--version` costs at most 1.5 x `import typer`, `--help` at most 1.3 x the help of a minimal typer app."""

from benchmarks.bed import Bed, alone
from benchmarks.paired import Claim, Contender, judged, measure

MINIMAL = """\
import typer

app = typer.Typer()

@app.command()
def one(name: str):
    pass

@app.command()
def two(name: str):
    pass

app()
"""


def benchmark(bed: Bed) -> bool:
    """Whether the claims hold; the numbers are printed."""
    script = bed.root / "minimal.py"
    script.write_text(MINIMAL)
    contenders = [
        Contender("import typer", [bed.python, "-c", "import typer"], env=bed.env),
        Contender("reprokit --version", [bed.reprokit, "--version"], env=bed.env),
        Contender("minimal typer app --help", [bed.python, script, "--help"], env=bed.env),
        Contender("reprokit --help", [bed.reprokit, "--help"], env=bed.env),
    ]

    def look() -> list[Claim]:
        typer, version, minimal, help_ = measure(contenders).values()
        return [
            Claim("--version / import typer", version / typer, 1.5),
            Claim("--help / --help of a minimal typer app", help_ / minimal, 1.3),
        ]

    return judged("start-up", look)


if __name__ == "__main__":
    alone(benchmark)
