"""The dev container of the stack `cpu`, for real."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Place, git
from tests.docker.tiny_stack import docker, remove

pytestmark = [pytest.mark.docker, pytest.mark.slow]

STRANGER = 1234


@pytest.fixture(scope="module")
def dev_image() -> Iterator[list[str]]:
    """The images that the tests of this module made, for all of them; removed at the end."""
    made: list[str] = []
    yield made
    remove(*made)


@pytest.fixture
def lab(place: Place, dev_image: list[str]) -> Place:
    config = place.project("dev", "print('here')\n")
    line = place("dev", config, "--dry-run", "--json")
    dev_image.append(line.json["image"])
    return place


CONFIG = Path("projects/dev/config.yaml")


def test_a_dry_run_prints_the_line_and_leaves_nothing(lab: Place) -> None:
    answer = lab("dev", CONFIG, "--jupyter", "--port", "0", "--dry-run")
    assert answer.code == 0
    assert answer.stdout.startswith("docker run --rm --user=")
    assert "token" not in answer.stdout.lower().replace("jupyter_token", "")
    assert not (lab.root / ".devcontainer").exists()


def test_the_tools_and_the_stack_are_there_and_its_exit_code_is_handed_on(lab: Place) -> None:
    code = "import torch, debugpy, ipdb, reprokit.core; print(torch.__version__)"
    answer = lab("dev", CONFIG, "--", "python", "-c", code)
    assert (answer.code, answer.stdout) == (0, "2.13.0+cpu\n"), answer.stderr
    assert lab("dev", CONFIG, "--", "python", "-c", "raise SystemExit(7)").code == 7
    document = json.loads((lab.root / ".devcontainer" / "devcontainer.json").read_text())
    assert document["build"]["args"] == {"PROJECT": "dev"}
    # The second time there is nothing to build.
    again = lab("dev", CONFIG, "--json", "--", "echo", "inside")
    assert again.json["built"] is False
    assert again.json["devcontainer"]["state"] == "unchanged"
    assert "inside" in again.stderr


def test_what_is_written_in_the_source_belongs_to_the_caller(lab: Place) -> None:
    user = os.getuid()
    words = ["dev", str(CONFIG), "--", "touch", "made"]
    code = "import sys; from reprokit.__main__ import main; sys.argv[0] = 'reprokit'; "
    if user == 0:
        # As root everything would belong to the caller whatever we did: call as somebody else, with root's rights.
        user = STRANGER
        code += f"import os; os.setregid({user}, 0); os.setreuid({user}, 0); "
        os.chown((lab.root / CONFIG).parent, user, user)
    argv = [sys.executable, "-c", f"{code} main()", *words]
    done = subprocess.run(argv, cwd=lab.root, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert (lab.root / CONFIG).with_name("made").stat().st_uid == user


def test_jupyter_answers_to_its_token_and_to_nobody_else(lab: Place) -> None:
    child = lab.start("dev", CONFIG, "--jupyter", "--port", "0", stdin=subprocess.DEVNULL)
    try:
        assert child.stdout is not None
        url = child.stdout.readline().decode().strip()
        found = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/lab\?token=(.{32})", url)
        assert found is not None, url
        status = until_it_answers(f"{found[1]}/api/status?token={found[2]}", child)
        assert "kernels" in status
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{found[1]}/api/status?token=wrong", timeout=5)
        assert caught.value.code == 403
        caught.value.close()
    finally:
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=60)
    # Said once, by us: neither Jupyter's own words nor docker's list of processes have it.
    assert found[2] not in (out + err).decode()
    assert docker("ps", "--quiet", "--filter", "label=org.reprokit.dev=dev") == ""


def until_it_answers(url: str, child: "subprocess.Popen[bytes]") -> str:
    for _ in range(300):
        assert child.poll() is None
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                said: str = answer.read().decode()
                return said
        except OSError:
            time.sleep(0.2)
    pytest.fail("Jupyter gave no answer for a minute")


def test_a_workspace_of_ours_is_mounted_whole_from_the_top_of_its_repository(lab: Place) -> None:
    assert REPOSITORY not in lab.root.parents
    (lab.root / "shared.txt").write_text("from above")
    git(lab.root, "status")
    answer = lab("dev", CONFIG, "--", "cat", "/workspace/shared.txt")
    assert answer.stdout == "from above"
