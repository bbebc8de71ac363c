# SPDX-License-Identifier: Apache-2.0
"""The systemd units as systemd's own tools judge them."""

import re
import subprocess

import pytest

from building import BINARY, ROOT

FOLDER = ROOT / "packaging" / "systemd"


@pytest.fixture
def units(tmp_path):
    """The units, for the program that was built."""
    for unit in FOLDER.iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/sbin/nsaddrd", str(BINARY)))
    return [tmp_path / "nsaddrd.service", tmp_path / "nsaddrd.socket"]


def analyze(*command):
    done = subprocess.run(["systemd-analyze", *map(str, command)], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout + done.stderr


def test_systemd_knows_every_setting(units):
    # An unknown setting is a word, not a failure. The man pages are not installed here.
    assert analyze("verify", "--man=no", *units) == (0, "")


def test_the_exposure_is_one_at_most(units):
    status, report = analyze("security", "--offline=true", "--threshold=10", "--no-pager", units[0])
    assert status == 0, report


def test_both_units_are_installed_for_where_the_program_is(tmp_path):
    prefix = tmp_path / "prefix"
    for command in (["cmake", "-S", ROOT, "-B", tmp_path / "build", "-G", "Ninja", "-DBUILD_TESTING=OFF",
                     f"-DCMAKE_INSTALL_PREFIX={prefix}"],
                    ["cmake", "--build", tmp_path / "build"], ["cmake", "--install", tmp_path / "build"]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    service = (prefix / "lib/systemd/system/nsaddrd.service").read_text()
    words = re.search(r"^ExecStart=(.*)", service, re.MULTILINE)[1].split()
    assert words == [f"{prefix}/sbin/nsaddrd", "-c", f"{prefix}/etc/nsaddrd/nsaddrd.conf"]
    assert subprocess.run([*words, "-t"], timeout=20, check=False).returncode == 0
    assert (prefix / "lib/systemd/system/nsaddrd.socket").exists()
