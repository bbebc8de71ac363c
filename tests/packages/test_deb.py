# SPDX-License-Identifier: Apache-2.0
"""The Debian package, installed into a fresh Debian 12 that does not run."""

import os
import re
import signal
import stat
from pathlib import Path

import pytest

import wire
from building import field, run
from ports import free_port
from waiting import eventually

CONFIG = "etc/nsaddrd/nsaddrd.conf"


@pytest.fixture
def root(debian):
    """The root without our package."""
    yield debian
    debian.run("dpkg", "--purge", "nsaddrd")


def packages(root, pattern):
    return [f"/root/{path.name}" for path in sorted((root.path / "root").glob(pattern))]


@pytest.fixture
def first(root):
    return packages(root, "nsaddrd_*-1_*.deb")[0]


@pytest.fixture
def following(root):
    return packages(root, "nsaddrd_*+1_*.deb")[0]


def test_lintian_accepts_it(deb):
    run("lintian", "--allow-root", "--fail-on", "error,warning", deb)


def test_apt_installs_it_with_what_it_needs(root, first):
    printed = root.run("apt-get", "-q", "-y", "--no-install-recommends", "install", first)
    assert "Setting up nsaddrd" in printed
    assert root.run("nsaddrd", "--version").startswith("nsaddrd ")


def test_its_config_is_for_its_user_alone(root, first):
    root.run("dpkg", "--install", first)
    status = (root.path / CONFIG).stat()
    group = root.run("getent", "group", "nsaddrd").split(":")[2]
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o640, 0, int(group))


def test_its_config_is_good_as_it_comes(root, first):
    root.run("dpkg", "--install", first)
    printed = root.run("setpriv", "--reuid=nsaddrd", "--regid=nsaddrd", "--clear-groups", "nsaddrd", "--print-config")
    assert 'dir = "/var/lib/nsaddrd"' in printed


def test_its_documents_are_with_it(root, first):
    """All that they link to, too."""
    root.run("dpkg", "--install", first)
    folder = root.path / "usr/share/doc/nsaddrd"
    documents = sorted(folder.rglob("*.md"))
    assert {"README.md", "README.zh-CN.md", "SECURITY.md", "troubleshooting.md"} <= {path.name for path in documents}
    links = [(path, link) for path in documents
             for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)", path.read_text(encoding="utf-8"))]
    assert [(path.name, link) for path, link in links if not (path.parent / link).exists()] == []
    page = run("man", "--local-file", "--ascii", root.path / "usr/share/man/man8/nsaddrd.8.gz")
    named = re.search(r"/(usr/share/doc/\S+\.md)", page)
    assert named and (root.path / named[1]).exists()


def test_it_names_each_dependency_once(deb):
    names = [entry.split()[0] for entry in field(deb, "Depends").split(",")]
    assert len(names) == len(set(names))


def test_as_it_comes_it_registers_nothing(root, first):
    """It starts at once, and fabio is to send it nobody before its config says so."""
    root.run("dpkg", "--install", first)
    assert 'mode = "off"' in root.run("nsaddrd", "--print-config")


def test_its_user_can_run_what_the_unit_says(root, first):
    root.run("dpkg", "--install", first)
    unit = (root.path / "lib/systemd/system/nsaddrd.service").read_text()
    started = re.search(r"^ExecStart=(.*)", unit, re.MULTILINE)[1].split()
    port = free_port()
    process = root.start("setpriv", "--reuid=nsaddrd", "--regid=nsaddrd", "--clear-groups", *started,
                         "-o", f"listen=127.0.0.1:{port}", "-o", "admin.listen=", "-o", "consul.enabled=false",
                         "-o", "static_clusters=a=127.0.0.1:9876", "-o", "register.drain=0s")
    try:
        eventually(lambda: answers(process, port), "it answers", 20)
        assert wire.get(port, "/rocketmq/a").text == "127.0.0.1:9876"
        child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        os.kill(child, signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait(10)


def answers(process, port):
    assert process.poll() is None, f"it ended with {process.returncode}"
    try:
        return wire.get(port, "/healthz").status == 200
    except OSError:
        return False


def test_a_config_that_was_edited_survives_an_upgrade(root, first, following):
    root.run("dpkg", "--install", first)
    config = root.path / CONFIG
    edited = config.read_text() + "# Edited here.\n"
    config.write_text(edited)
    os.chmod(config, 0o600)
    root.run("dpkg", "--force-confdef", "--force-confold", "--install", following)
    assert config.read_text() == edited
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


def test_a_config_that_nobody_edited_follows_the_package(root, first, following):
    root.run("dpkg", "--install", first)
    group = (root.path / CONFIG).stat().st_gid
    root.run("dpkg", "--install", following)
    status = (root.path / CONFIG).stat()
    assert "As the next version has it" in (root.path / CONFIG).read_text()
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o640, group)


def test_without_a_purge_config_and_state_stay(root, first):
    root.run("dpkg", "--install", first)
    root.run("install", "/dev/null", "/var/lib/nsaddrd/nsaddrd.state")
    root.run("dpkg", "--remove", "nsaddrd")
    assert (root.path / CONFIG).exists()
    assert (root.path / "var/lib/nsaddrd/nsaddrd.state").exists()
    assert not (root.path / "usr/sbin/nsaddrd").exists()


def test_a_purge_leaves_nothing_behind(root, first):
    before = root.files()
    root.run("dpkg", "--install", first)
    root.run("install", "/dev/null", "/var/lib/nsaddrd/nsaddrd.state")
    assert {"usr/sbin/nsaddrd", CONFIG} <= root.files() - before
    root.run("dpkg", "--purge", "nsaddrd")
    assert root.files() == before


def test_a_purge_takes_nothing_that_is_not_the_packages(root, first):
    root.run("dpkg", "--install", first)
    root.run("install", "/dev/null", "/etc/nsaddrd/token")
    root.run("dpkg", "--purge", "nsaddrd")
    token = root.path / "etc/nsaddrd/token"
    assert token.exists()
    token.unlink()
    token.parent.rmdir()
