"""What is asked of buildx, and what its words mean."""

import base64
import io
import json
from pathlib import Path

from reprokit.environments.buildx import Build, Progress, buildx_argv, failure, shown
from reprokit.errors import IntegrityError, ReproKitError


def build(**changes: object) -> Build:
    settings: dict[str, object] = {
        "dockerfile": Path("/stage/Dockerfile"),
        "context": Path("/stage/workspace"),
        "target": "environment",
        "tag": "reprokit/cpu-digits:00",
        "platform": "linux/amd64",
        "log": Path("/store/build.log"),
    }
    return Build(**{**settings, **changes})  # type: ignore[arg-type]


def line(**document: object) -> bytes:
    return json.dumps(document).encode() + b"\n"


def logged(vertex: str, text: bytes) -> bytes:
    return line(logs=[{"vertex": vertex, "stream": 2, "data": base64.b64encode(text).decode()}])


def progress() -> tuple[Progress, io.StringIO, list[tuple[str, int, int]]]:
    log, steps = io.StringIO(), list[tuple[str, int, int]]()
    return Progress(log, lambda *step: steps.append(step)), log, steps


def nothing(_: str) -> ReproKitError | None:
    return None


def test_a_secret_is_named_in_the_argv_and_never_said() -> None:
    argv = buildx_argv(
        build(secrets={"index": "export A=hunter22"}, secret_files={"ca": Path("/ca")})
    )
    assert "id=index,env=REPROKIT_SECRET_INDEX" in argv
    assert "id=ca,src=/ca" in argv
    assert not any("hunter22" in word for word in argv)
    assert "hunter22" not in repr(build(secrets={"index": "hunter22"}))


def test_a_path_with_commas_and_quotes_reaches_buildx_whole() -> None:
    assert 'id=ca,"src=/a,""b"""' in buildx_argv(build(secret_files={"ca": Path('/a,"b"')}))


def test_no_attestation_that_would_hold_the_time_is_made() -> None:
    assert {"--provenance=false", "--sbom=false"} <= set(buildx_argv(build()))


def test_the_engines_own_builder_is_used_whatever_the_user_has_chosen() -> None:
    argv = buildx_argv(build())
    assert argv[argv.index("--builder") + 1] == "default"


def test_steps_are_told_as_they_begin_and_end() -> None:
    reader, log, steps = progress()
    vertex = {"digest": "a", "name": "[environment 1/2] FROM python"}
    reader.take(line(vertexes=[vertex, {"digest": "b", "name": "[recipe 1/1] COPY"}]))
    reader.take(line(vertexes=[{**vertex, "started": "2026-01-01T00:00:00Z"}]))
    reader.take(line(vertexes=[{**vertex, "started": "x", "completed": "x", "cached": True}]))
    assert steps[-1] == ("[environment 1/2] FROM python", 1, 2)
    assert "== cached: [environment 1/2] FROM python" in log.getvalue()


def test_bytes_on_their_way_are_told_where_their_total_is_known() -> None:
    told: list[tuple[str, int, int]] = []
    reader = Progress(io.StringIO(), lambda *_: None, lambda *amount: told.append(amount))
    reader.take(line(vertexes=[{"digest": "a", "name": "[x 1/1] FROM y"}]))
    reader.take(line(statuses=[{"id": "sha256:1", "vertex": "a", "current": 5, "total": 9}]))
    reader.take(line(statuses=[{"id": "uv", "vertex": "a", "current": 5}]))
    assert told == [("[x 1/1] FROM y", 5, 9)]


def test_output_cut_anywhere_is_put_together_in_the_log() -> None:
    reader, log, _ = progress()
    data = "zwölf Ärger\nlast".encode()
    for one in data:
        reader.take(logged("a", bytes([one])))
    reader.flush()
    assert log.getvalue() == "   zwölf Ärger\n   last\n"


def test_credentials_do_not_reach_the_log_even_cut_in_two() -> None:
    reader, log, _ = progress()
    reader.take(logged("a", b"error: https://ada:hun"))
    reader.take(logged("a", b"ter22@one.example/simple\n"))
    reader.take(b"ERROR: https://ada:hunter22@one.example\n")
    assert "hunter22" not in log.getvalue() + "".join(reader.plain) + "".join(reader.tail())
    assert "one.example/simple" in log.getvalue()


def test_a_failed_step_is_told_with_its_last_lines_and_the_log() -> None:
    reader, _, _ = progress()
    reader.take(
        line(vertexes=[{"digest": "a", "name": "[x 1/2] RUN true", "error": "context canceled"}])
    )
    reader.take(logged("b", b"".join(b"line %d\n" % number for number in range(99))))
    reader.take(
        line(vertexes=[{"digest": "b", "name": "[x 2/2] RUN false", "error": "exit code: 1"}])
    )
    reader.take(b"ERROR: failed to build\n")
    error = failure(reader, Path("/store/build.log"), nothing)
    assert (error.code, error.exit_code) == ("image-build", 4)
    assert error.where == "/store/build.log"
    assert "[x 2/2] RUN false" in error.message
    assert error.message.endswith("line 98")
    assert "line 80" not in error.message


def test_the_words_of_a_failed_step_are_explained_where_somebody_knows_them() -> None:
    reader, _, _ = progress()
    reader.take(logged("a", b"Hash mismatch for `torch==2`\n"))
    reader.take(line(vertexes=[{"digest": "a", "name": "RUN", "error": "exit code: 1"}]))

    def explain(said: str) -> ReproKitError | None:
        return IntegrityError("hash-mismatch", said)

    error = failure(reader, Path("/log"), explain)
    assert (error.code, error.message) == ("hash-mismatch", "Hash mismatch for `torch==2`")


def test_a_full_disk_is_told_from_a_broken_build() -> None:
    reader, _, _ = progress()
    reader.take(b"ERROR: write /var/lib/x: no space left on device\n")
    error = failure(reader, Path("/log"), nothing)
    assert (error.code, error.hint) == (
        "disk-full",
        "`docker system prune` and `docker builder prune` free some",
    )


def test_a_docker_without_buildx_is_told_with_the_command_that_installs_it() -> None:
    reader, _, _ = progress()
    reader.take(b"docker: 'buildx' is not a docker command.\n")
    error = failure(reader, Path("/log"), nothing)
    assert error.code == "no-buildx"
    assert "apt-get install docker-buildx-plugin" in (error.hint or "")


def test_a_line_that_only_looks_like_json_is_kept_as_text() -> None:
    reader, log, _ = progress()
    reader.take(b"{not json}\n")
    assert list(reader.plain) == ["{not json}"]
    assert log.getvalue() == "{not json}\n"


def test_a_step_of_ours_is_shown_in_a_few_words() -> None:
    name = (
        "[environment 2/3] RUN --mount=type=bind,from=recipe,target=/run/reprokit/recipe"
        "     --mount=type=secret,id=index     /run/reprokit/recipe/layer packages /run/reprokit/locks/stack.lock"
    )
    assert shown(name) == "[environment 2/3] packages stack.lock"
