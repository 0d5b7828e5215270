"""`reprokit show`."""

from typing import Any

from reprokit.cli import options
from reprokit.cli.place import settled
from reprokit.cli.render import Output, duration, size
from reprokit.cli.times import seconds_of

HELP = """Show what a run's record says: how it ended, its code, its stack, its numbers.

\b
  reprokit show @last
  reprokit show RUN --json                       every file of the record in one document
"""


def show(
    run: options.RunName,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,
) -> None:
    """Show a run (see HELP)."""
    from reprokit.runs.details import read_details

    output = Output(json, quiet, verbose)
    paths, _ = settled(workspace, run)
    details = read_details(paths)
    if json:
        output.document("reprokit/show/1", {"folder": str(paths.root), **details})
        return
    output.facts([*_how(details), *_what(details), *_stack(details)])
    output.next(f"reprokit logs {details['run']['id']}")


def _how(details: dict[str, Any]) -> list[tuple[str, str]]:
    run = details["run"]
    end = run["exit"] or {}
    facts = [
        ("run", run["id"]),
        ("state", run["state"] + (f" ({end['message']})" if end else "")),
        ("started", run["started"] or "-"),
        ("took", duration(seconds_of(run))),
    ]
    if usage := run["usage"]:
        cpu = usage["user_s"] + usage["system_s"]
        facts.append(("used", f"{cpu:.1f} s of CPU, {size(usage['max_rss_bytes'])} at most"))
    return [
        *facts,
        *(("metric", f"{name} = {value}") for name, value in details["metrics"].items()),
    ]


def _what(details: dict[str, Any]) -> list[tuple[str, str]]:
    import shlex

    run, plan, source = details["run"], details["plan"], details["source"]
    commit = (source["commit"] or source["tree"])[:12]
    dirty = (
        f", {source['changed']} changed, {source['untracked']} untracked" if source["dirty"] else ""
    )
    return [
        ("command", shlex.join(run["argv"])),
        ("params", "  ".join(f"{key}={value}" for key, value in plan["params"].items()) or "-"),
        ("seed", f"{plan['seed']} ({plan['determinism']})"),
        ("code", f"{commit} on {source['branch'] or 'no branch'}{dirty}"),
        *(
            ("data", f"{name} {facts['digest']}")
            for name, facts in details["data"].get("datasets", {}).items()
        ),
        ("engine", f"{run['engine']['name']} ({run['engine']['reason']})"),
        ("environment", run["environment"]["id"]),
        ("folder", details["folder"]),
    ]


def _stack(details: dict[str, Any]) -> list[tuple[str, str]]:
    summary = details["summary"]
    if summary is None:
        return [("snapshot", "none was taken")]
    cuda = f", CUDA {summary['cuda']}" if summary["cuda"] else ""
    gpus = ", ".join(summary["gpus"]) or "none"
    memory = size(summary["memory_bytes"]) if summary["memory_bytes"] else "?"
    return [
        ("torch", f"{summary['torch'] or 'not installed'}{cuda}"),
        ("python", summary["python"] or "?"),
        ("packages", f"{summary['packages']}, and {summary['system_packages']} of the system"),
        ("system", f"{summary['system'] or '?'}, kernel {summary['kernel'] or '?'}"),
        ("machine", f"{summary['cpu'] or '?'}, {summary['cpus']} CPUs, {memory}; GPUs: {gpus}"),
        *(("unknown", f"{layer}: {why}") for layer, why in details["unknown"].items()),
    ]
