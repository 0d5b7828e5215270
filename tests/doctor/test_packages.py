"""pip's settings: do they fit together? Only pure decisions and files; test_reach.py asks indexes."""

from pathlib import Path
from typing import Any

from reprokit.doctor import packages
from reprokit.doctor.model import Finding
from reprokit.doctor.packages import observe, pages, trouble_with
from reprokit.doctor.reach import Answer
from reprokit.stacks.model import PYTORCH_INDEX
from reprokit.stacks.pipconfig import PackageSettings
from reprokit.workspace import Workspace
from tests.doctor.conftest import context

MAIN = "https://main.example/simple"


def decided(
    variables: dict[str, str] | None = None, answers: dict[str, Answer] | None = None, **given: Any
) -> Finding:
    """What is found for these settings and variables."""
    settings = PackageSettings(**{"index_url": MAIN, **given})
    return packages.decide(observe(settings, variables or {}, answers or {}))


def test_settings_that_fit_together_are_summed_up() -> None:
    found = decided(find_links=("https://more.example/",))
    assert (found.status, found.message) == ("ok", f"{MAIN} and 1 of find-links")
    assert found.details == ("certificates: the system", "proxy: none in pip")


def test_no_password_is_ever_told() -> None:
    secret = "https://me:hush@a.example/simple"
    found = decided(
        {"HTTPS_PROXY": "http://me:hush@p.example:1", "UV_INDEX_URL": secret},
        {secret: Answer("it asks for a password", 0.1)},
        index_url=secret.replace("a.", "b."),
        extra_index_urls=(secret,),
        proxy="http://me:hush@q.example:2",
    )
    assert found.status == "fail"
    assert "hush" not in repr(found)


def test_a_certificate_file_that_is_gone_is_a_failure_that_names_its_setting(
    tmp_path: Path,
) -> None:
    gone = str(tmp_path / "ca.pem")
    found = decided(cert=gone, sources={"cert": "PIP_CERT"})
    assert found.status == "fail"
    assert f"certificates of PIP_CERT: {gone}: no such file" in found.message
    assert "correct PIP_CERT" in (found.fix or "")


def test_a_client_certificate_that_is_gone_is_a_failure(tmp_path: Path) -> None:
    assert decided(client_cert=str(tmp_path / "me.pem")).status == "fail"


def test_a_bundle_without_a_certificate_is_of_no_use(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("not a certificate")
    assert trouble_with(bundle) == f"{bundle} holds no certificate"
    assert trouble_with(tmp_path) == f"{tmp_path} is a folder; uv wants a file"


def test_two_bundles_mean_that_pip_and_uv_disagree(tmp_path: Path) -> None:
    found = decided({"SSL_CERT_FILE": str(tmp_path / "b")}, cert=str(tmp_path / "a"))
    assert any("pip trusts" in line for line in found.details)


def test_an_index_for_uv_alone_is_warned_of() -> None:
    found = decided({"UV_DEFAULT_INDEX": "https://other.example/simple"})
    assert found.status == "warn"
    assert "unset UV_DEFAULT_INDEX" in (found.fix or "")
    assert decided({"UV_DEFAULT_INDEX": MAIN + "/"}).status == "ok"


def test_a_proxy_for_pip_alone_or_uv_alone_is_fine_and_two_are_not() -> None:
    proxy = {"https_proxy": "http://a.example:3128"}
    assert decided(proxy).status == "ok"
    assert decided(proxy, proxy="a.example:3128").status == "ok"
    assert decided(proxy, proxy="http://b.example:3128").status == "warn"


def test_a_proxy_that_is_no_address_is_a_failure() -> None:
    assert decided(proxy="http://").status == "fail"
    assert decided({"HTTPS_PROXY": "http://a.example:port"}).status == "fail"


def test_an_index_that_is_not_encrypted_must_be_trusted() -> None:
    plain = "http://plain.example:8080/simple"
    assert decided(index_url=plain).status == "warn"
    assert decided(index_url=plain, trusted_hosts=("plain.example:8080",)).status == "ok"
    assert decided(index_url="http://localhost:3141/simple").status == "ok"


def test_no_index_needs_a_folder_with_packages(tmp_path: Path) -> None:
    assert decided(no_index=True).status == "fail"
    assert decided(no_index=True, find_links=(str(tmp_path),)).status == "ok"
    assert decided(no_index=True, find_links=(str(tmp_path / "gone"),)).status == "warn"


def test_an_index_that_does_not_answer_is_a_failure_and_pytorchs_own_a_warning() -> None:
    silent = Answer("nothing listens there", 0.1)
    found = decided(answers={MAIN: silent}, sources={"index-url": "PIP_INDEX_URL"})
    assert (found.status, found.message) == (
        "fail",
        f"{MAIN} (PIP_INDEX_URL): nothing listens there",
    )
    assert decided(answers={PYTORCH_INDEX: silent}).status == "warn"


def test_an_index_that_answers_is_told_with_its_time() -> None:
    found = decided(answers={MAIN: Answer(None, 0.25)})
    assert found.message.startswith(f"{MAIN} (index-url) answers in 0.2 s")


def test_every_index_is_asked_for_a_small_page_that_it_has(lab: Workspace) -> None:
    settings = PackageSettings(index_url=MAIN, extra_index_urls=("https://more.example/",))
    own = {MAIN: "pip/", "https://more.example/": "pip/"}
    assert pages(context(lab), settings) == own
    (lab.stacks / "cpu").mkdir(parents=True)
    (lab.stacks / "cpu" / "stack.yaml").write_text("")
    assert pages(context(lab), settings) == {**own, PYTORCH_INDEX: "cpu/torch/"}


def test_no_index_means_that_none_is_asked(lab: Workspace) -> None:
    (lab.stacks / "cpu").mkdir(parents=True)
    (lab.stacks / "cpu" / "stack.yaml").write_text("")
    assert pages(context(lab), PackageSettings(index_url=MAIN, no_index=True)) == {}
