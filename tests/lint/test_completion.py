# SPDX-License-Identifier: Apache-2.0
"""Shell completion, by the shells themselves: bash and zsh at a terminal, fish by its own command."""
from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

import pytest

import options
from tree import ROOT

BUILT = Path(os.environ.get("NSADDRD_BIN") or ROOT / "build/nsaddrd").absolute().parent / "packaging"

# What is typed before TAB, and the arguments that the program then gets.
TYPED = [
    ("--pr", ["--print-config"]),
    ("--chec", ["--check-config"]),
    ("exp", ["explain"]),
    ("--once exp", ["--once", "exp"]),
    ("explain --ur", ["explain", "--url"]),
    ("-o log.le", ["-o", "log.level="]),
    ("-o log.level=w", ["-o", "log.level=warn"]),
    ("-o consul.tls.verify=f", ["-o", "consul.tls.verify=false"]),
    ("--option log.format=j", ["--option", "log.format=json"]),
    ("--once -c /etc/host-na", ["--once", "-c", "/etc/host-name"]),
]
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
# The "program" shows its arguments. Blanks at the end of the line are the shell's.
PROGRAM = "nsaddrd() { printf '\\n%s' GOT; printf '<%s>' \"$@\"; echo; }"
START = {
    "bash": "source {built}/nsaddrd.bash; PS1=; bind 'set bell-style none'",
    "zsh": "PS1=; fpath=({functions} $fpath); autoload -Uz compinit; compinit -u -D",
}


class Terminal:
    """A shell at a terminal of its own."""

    def __init__(self, argv: list[str], folder: Path) -> None:
        self._child, self._fd = pty.fork()
        if self._child == 0:
            os.chdir(folder)
            os.execvpe(argv[0], argv, {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb"})
        self._seen = ""

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def expect(self, pattern: str, seconds: float = 20) -> re.Match[str]:
        deadline = time.monotonic() + seconds
        while (match := re.search(pattern, self._seen)) is None:
            ready, _, _ = select.select([self._fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"waited in vain for {pattern!r}; the terminal shows {self._seen!r}"
            self._seen += os.read(self._fd, 4096).decode(errors="replace")
        self._seen = self._seen[match.end():]
        return match

    def close(self) -> None:
        os.close(self._fd)
        os.kill(self._child, 9)
        os.waitpid(self._child, 0)


@pytest.fixture(name="terminal", scope="module", params=sorted(SHELLS))
def start_terminal(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "_nsaddrd").write_text((BUILT / "nsaddrd.zsh").read_text(encoding="utf-8"), encoding="utf-8")
    shell = Terminal(SHELLS[request.param], folder)
    for line in (PROGRAM, START[request.param].format(built=BUILT, functions=folder), "echo READY''NOW"):
        shell.type(line + "\n")
    shell.expect("READYNOW")
    yield shell
    shell.close()


@pytest.mark.parametrize("typed, wanted", TYPED, ids=[t for t, _ in TYPED])
def test_tab(terminal, tmp_path, typed, wanted):
    (tmp_path / "host-name").touch()
    at = f"{tmp_path}/host-name"
    terminal.type(f"nsaddrd {typed}\t\n".replace("/etc/host-na", str(tmp_path / "host-na")))
    got = terminal.expect(r"GOT((?:<[^>]*>)*)\r?\n").group(1)
    assert re.findall("<([^>]*)>", got) == [w.replace("/etc/host-name", at) for w in wanted]


def test_bash_completes_the_value_of_a_long_option(tmp_path):
    script = f"""
        compopt() {{ :; }}
        source {BUILT}/nsaddrd.bash
        COMP_LINE='nsaddrd --option=log.level=d' COMP_POINT=28
        _nsaddrd; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    result = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout == "debug\n"


def every_option() -> list[str]:
    text = options.ask(BUILT.parent / "nsaddrd", "--help")
    return re.findall(r"^\s+([a-z0-9_.]+)\s+\S.*?\bdefault\b", text, re.MULTILINE)


def test_bash_knows_every_option(tmp_path):
    script = f"source {BUILT}/nsaddrd.bash; _nsaddrd_option ''"
    result = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout.split() == [f"{name}=" for name in every_option()]


def fish(tmp_path: Path, line: str) -> list[str]:
    result = subprocess.run(
        ["fish", "--no-config", "-c", f"source {BUILT}/nsaddrd.fish; complete -C '{line}'"],
        cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=True,
    )  # fmt: skip
    return [found.split("\t")[0] for found in result.stdout.splitlines()]


@pytest.mark.parametrize("line, wanted", [
    ("nsaddrd --pr", ["--print-config"]),
    ("nsaddrd e", ["explain"]),
    ("nsaddrd --once e", []),
    ("nsaddrd explain --u", ["--url"]),
    ("nsaddrd -o log.level=w", ["log.level=warn"]),
    ("nsaddrd -o consul.tls.verify=", ["consul.tls.verify=true", "consul.tls.verify=false"]),
])  # fmt: skip
def test_fish(tmp_path, line, wanted):
    assert sorted(fish(tmp_path, line)) == sorted(wanted)


def test_fish_knows_every_option(tmp_path):
    found = {text.partition("=")[0] for text in fish(tmp_path, "nsaddrd -o ")}
    assert found == set(every_option())
