"""Images, made by a real engine."""

import gzip
import io
import json
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reprokit.environments.image import ImageOrder, ensure, image_reference, ready
from reprokit.errors import IntegrityError, MachineError
from reprokit.stacks.dockerfiles import KINDS, Kind, dockerfile, prod_dockerfile, write_dockerfiles
from reprokit.stacks.locks import DEV_LOCK, LockedRequirements, load_locked
from reprokit.stacks.model import BaseImage, load_stack
from reprokit.stacks.pipconfig import PackageSettings
from reprokit.stacks.requirements import normalise, read, render_pins
from reprokit.stacks.uvtool import uv_program
from tests.docker.tiny_stack import DOCKER, REPOSITORY, Tiny, docker, installed, lock, remove
from tests.stacks.wheelhouse import make_wheel

pytestmark = pytest.mark.docker

PLANTED = "hunter22-planted"


def no_programs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing can be started by name: neither docker nor anything else."""
    (folder / "empty").mkdir()
    monkeypatch.setenv("PATH", str(folder / "empty"))


def members(archive: bytes) -> Iterator[bytes]:
    """Every file in an image that was saved, the files in its layers too."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            stream = tar.extractfile(member)
            data = stream.read() if stream else b""
            yield gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def test_the_environment_holds_exactly_what_is_locked(tiny: Tiny) -> None:
    image = tiny.ensure(tiny.order())
    assert tiny.distributions(image) == {
        "torch": "9.9.9+cpu",
        "numpy": "1.0",
        "learn": "2.0",
        "colours": "0.1",
    }


def test_an_image_is_named_and_labelled_by_its_environment(tiny: Tiny) -> None:
    order = tiny.order()
    image = tiny.ensure(order)
    assert image.reference == f"reprokit/tiny-one:{order.env_id.partition('-')[2]}"
    described = json.loads(docker("image", "inspect", image.reference))[0]
    assert described["Id"] == image.digest
    assert described["Config"]["Labels"]["org.reprokit.env"] == order.env_id
    assert image.base_digest in docker("image", "inspect", str(tiny.stack.image))
    assert image.dockerfile == prod_dockerfile(tiny.stack)


def test_a_second_time_nothing_is_built_and_no_program_started(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tiny.ensure(tiny.order())
    no_programs(tiny.folder, monkeypatch)
    steps: list[str] = []
    again = tiny.ensure(tiny.order(), on_step=lambda *step: steps.append(step[0]))
    assert again == image
    assert steps == []
    assert ready(image.env_id, "tiny", "one", home=tiny.home) == image


def test_an_image_of_another_environment_under_the_name_is_not_taken(tiny: Tiny) -> None:
    order = tiny.order()
    image = tiny.ensure(order)
    docker("tag", str(tiny.stack.image), image.reference)
    assert ready(order.env_id, "tiny", "one", home=tiny.home) is None
    assert tiny.ensure(order) == image


def test_two_that_want_an_image_at_once_build_it_once(tiny: Tiny) -> None:
    steps: list[list[str]] = [[], []]

    def want(number: int) -> None:
        tiny.ensure(tiny.order(), on_step=lambda *step: steps[number].append(step[0]))

    threads = [threading.Thread(target=want, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(bool, steps)) == [False, True]


def test_the_same_order_gives_the_same_bytes_built_from_nothing(tiny: Tiny) -> None:
    first = tiny.build(tiny.order(), fresh=True)
    docker("image", "rm", "-f", first.reference)
    second = tiny.build(tiny.order(), fresh=True)
    assert second.digest == first.digest


def test_a_project_that_needs_no_more_than_its_stack_has_no_lock_of_its_own(tiny: Tiny) -> None:
    image = tiny.ensure(tiny.order(locks=LockedRequirements(tiny.locks.stack)))
    assert tiny.distributions(image) == {"torch": "9.9.9+cpu", "numpy": "1.0"}


def test_another_project_on_the_stack_takes_its_heavy_layer_as_it_is(tiny: Tiny) -> None:
    images = [
        tiny.ensure(tiny.order(1)),
        tiny.ensure(tiny.order(2, project="two", locks=LockedRequirements(tiny.locks.stack))),
    ]
    words = ("image", "inspect", "-f", "{{json .RootFS.Layers}}")
    one, two = (json.loads(docker(*words, image.reference)) for image in images)
    assert one[:-1] == two[:-1]
    assert one[-1] != two[-1]


def test_dev_has_what_prod_has_and_the_tools(tiny: Tiny) -> None:
    code = tiny.folder / "code"
    code.mkdir()
    (code / "train.py").write_text("import learn; print(learn.version)\n")
    prod = tiny.build(tiny.order(target="prod", code=code))
    dev = tiny.ensure(tiny.order(target="dev", tools=tiny.tools))
    run = tiny.distributions(prod)
    # The tools are locked with colours 0.2; the run has 0.1, and so has the run that is debugged.
    assert tiny.distributions(dev) == {**run, "debugger": "3.0"}
    assert tiny.run(dev, "git", "--version").startswith("git version")


def test_prod_runs_the_code_as_a_user_without_rights_who_may_write_beside_it(tiny: Tiny) -> None:
    code = tiny.folder / "code"
    (code / "pkg").mkdir(parents=True)
    (code / "train.py").write_text(
        "import os, pathlib, pkg.part\npathlib.Path('out').write_text('x')\nprint(os.getuid(), pkg.part.x)\n"
    )
    (code / "pkg" / "part.py").write_text("x = 'here'\n")
    (code / "pkg" / "part.py").chmod(0o600)
    (code / ".env").write_text(f"TOKEN={PLANTED}\n")
    prod = tiny.build(tiny.order(target="prod", code=code))
    assert tiny.run(prod) == "1000 here\n"
    assert docker("image", "inspect", "-f", "{{.Config.User}}", prod.reference) == "1000:1000\n"
    assert ".env" not in tiny.run(prod, "ls", "-a").split()


def test_no_secret_is_in_an_image_its_history_the_dockerfile_or_the_log(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = tiny.folder / "ca.pem"
    system = Path("/etc/ssl/certs/ca-certificates.crt").read_bytes()
    certificate.write_bytes(f"# {PLANTED}\n".encode() + system)
    monkeypatch.setenv("UV_INDEX_INNER_PASSWORD", f"{PLANTED}-4")
    settings = PackageSettings(
        index_url=f"https://ada:{PLANTED}-1@planted.invalid/simple",
        extra_index_urls=(f"https://ada:{PLANTED}-2@planted.invalid/more",),
        find_links=tiny.settings.find_links,
        cert=str(certificate),
        proxy=f"http://ada:{PLANTED}-3@planted.invalid:3128",
    )
    image = tiny.build(tiny.order(), settings=settings, fresh=True)
    archive = subprocess.run([DOCKER, "save", image.reference], capture_output=True, check=True)
    everything = [
        *members(archive.stdout),
        docker("history", "--no-trunc", image.reference).encode(),
    ]
    everything += [path.read_bytes() for path in tiny.home.rglob("*") if path.is_file()]
    everything.append(docker("image", "inspect", image.reference).encode())
    # What has to be there is there, so that the search is known to look in the right place.
    assert any(b"torch-9.9.9+cpu.dist-info" in data for data in everything)
    for word in (PLANTED, "planted.invalid", str(tiny.folder)):
        assert not any(word.encode() in data for data in everything), word


def test_packages_that_are_all_here_are_installed_without_the_network(tiny: Tiny) -> None:
    # Port 9 of the build's own machine answers nobody: any question there would end the build.
    nobody = replace(tiny.settings, no_index=False, index_url="http://127.0.0.1:9/simple")
    image = tiny.build(tiny.order(), settings=nobody, fresh=True)
    assert tiny.distributions(image)["learn"] == "2.0"


def test_a_package_that_is_not_the_locked_one_stops_the_build(tiny: Tiny) -> None:
    tampered = make_wheel(tiny.folder / "other", "numpy", "1.0", needs=("surprise",))
    torch = tiny.folder / "wheels" / "torch-9.9.9+cpu-py3-none-any.whl"
    locks = LockedRequirements(lock(torch, tampered))
    with pytest.raises(IntegrityError) as caught:
        tiny.ensure(tiny.order(locks=locks))
    assert "numpy" in caught.value.message
    assert caught.value.exit_code == 5
    assert ready(tiny.order().env_id, "tiny", "one", home=tiny.home) is None


def test_an_index_that_is_down_stops_the_build(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    nowhere = PackageSettings(index_url="http://127.0.0.1:9/simple", sources={"index-url": "PIP_X"})
    uncached = lock(make_wheel(tiny.folder / "far", "faraway", "1.0"))
    torch = replace(nowhere, find_links=tiny.settings.find_links)
    with pytest.raises(MachineError) as caught:
        tiny.ensure(
            tiny.order(locks=LockedRequirements(tiny.locks.stack, uncached)),
            settings=torch,
        )
    assert caught.value.code == "index-unreachable"
    assert "PIP_X" in (caught.value.where or "")


def test_a_step_that_fails_is_shown_with_its_last_words_and_its_log(tiny: Tiny) -> None:
    broken = replace(tiny.stack, system=("no-such-package-at-all",))
    with pytest.raises(MachineError) as caught:
        tiny.ensure(tiny.order(stack=broken))
    assert caught.value.code == "image-build"
    assert "system no-such-package-at-all" in caught.value.message
    assert "Unable to locate package" in caught.value.message
    assert "Unable to locate package" in Path(caught.value.where or "").read_text()


def test_a_base_image_that_is_nowhere_is_named(tiny: Tiny) -> None:
    lost = replace(tiny.stack, image=BaseImage("127.0.0.1:9/nobody/nothing:1"))
    with pytest.raises(MachineError) as caught:
        tiny.ensure(tiny.order(stack=lost))
    assert caught.value.code == "no-base-image"
    assert "127.0.0.1:9/nobody/nothing:1" in caught.value.message
    assert "base-images" in (caught.value.hint or "")


def test_a_workspace_can_name_another_place_for_the_base_image(tiny: Tiny) -> None:
    elsewhere = replace(tiny.stack, image=BaseImage("127.0.0.1:9/nobody/nothing:1"))
    image = tiny.ensure(
        tiny.order(stack=elsewhere), base_images={elsewhere.image.ref: tiny.stack.image.ref}
    )
    assert image.base_digest.startswith("sha256:")


def test_a_base_image_that_moved_stops_before_the_build(tiny: Tiny) -> None:
    pinned = replace(tiny.stack, image=BaseImage(tiny.stack.image.ref, "sha256:" + "0" * 64))
    steps: list[str] = []
    with pytest.raises(IntegrityError) as caught:
        tiny.ensure(tiny.order(stack=pinned), on_step=lambda *step: steps.append(step[0]))
    assert caught.value.code == "base-image-moved"
    assert steps == []


def test_without_the_docker_program_an_engine_alone_builds_nothing(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_programs(tiny.folder, monkeypatch)
    with pytest.raises(MachineError) as caught:
        tiny.ensure(tiny.order())
    assert (caught.value.code, caught.value.exit_code) == ("no-program", 4)
    assert "docker" in caught.value.message


@pytest.mark.parametrize("kind", KINDS)
def test_the_engines_own_linter_has_nothing_to_say(kind: Kind, tiny: Tiny) -> None:
    system = replace(load_stack(REPOSITORY, "cpu"), system=("libgomp1",))
    (tiny.folder / "Dockerfile").write_text(dockerfile(system, kind))
    (tiny.folder / "uv").mkdir()
    words = ["buildx", "build", "--check", "--build-context", f"uv={tiny.folder / 'uv'}"]
    said = docker(*words, "--file", str(tiny.folder / "Dockerfile"), str(REPOSITORY))
    assert "no warnings found" in said


def test_a_person_can_build_by_hand_in_the_workspace(tiny: Tiny) -> None:
    root = tiny.folder / "lab"
    write_dockerfiles(root, tiny.stack)
    for path, text in {
        "envs/tiny/requirements.lock": render_pins(tiny.locks.stack.pins),
        "projects/one/requirements.tiny.lock": render_pins(tiny.locks.pins[:0]),
        "projects/one/train.py": "import torch; print(torch.version)\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (tiny.folder / "uv").mkdir()
    os.link(uv_program(), tiny.folder / "uv" / "uv")
    tag = f"reprokit/by-hand:{tiny.order().env_id}"
    tiny.made.append(tag)
    docker(
        *("build", "-f", str(root / "dockerfiles/tiny/prod.Dockerfile"), "-t", tag),
        *("--build-arg", "PROJECT=one", "--build-context", f"uv={tiny.folder / 'uv'}"),
        *("--build-context", f"stack-wheels={tiny.folder / 'wheels'}", str(root)),
    )
    assert docker("run", "--rm", tag) == "9.9.9+cpu\n"


def test_names_of_people_become_names_of_images() -> None:
    identity = "cpu-0123456789abcdef"
    assert image_reference(identity, "cpu", "Größe x") == "reprokit/cpu-gr-e-x:0123456789abcdef"
    assert image_reference(identity, "CPU", "été", "dev") == "reprokit/cpu-t:0123456789abcdef-dev"


@pytest.mark.slow
def test_the_images_of_the_stack_cpu_hold_what_its_locks_say(shared_home: Path) -> None:
    stack, locks = (
        load_stack(REPOSITORY, "cpu"),
        load_locked(REPOSITORY, "cpu", REPOSITORY / "projects/digits"),
    )
    tools = read(REPOSITORY / "envs/cpu" / DEV_LOCK)
    order = ImageOrder("cpu-" + "0" * 12 + "feed", stack, "digits", locks)
    try:
        image = ensure(order, home=shared_home)
        dev = ensure(replace(order, target="dev", tools=tools), home=shared_home)
        run, debugged = installed(image.reference), installed(dev.reference)
    finally:
        remove(order.reference, replace(order, target="dev").reference)
    assert {normalise(name): version for name, version in run.items()} == {
        pin.name: pin.version for pin in locks.pins
    }
    assert {name: debugged[name] for name in run} == run
    assert {"jupyterlab", "debugpy", "ipdb"} <= debugged.keys()
