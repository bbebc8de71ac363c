# SPDX-License-Identifier: Apache-2.0
"""What the compiler and linker were asked for is in the program: each is read from its ELF file."""

import platform
import re

import pytest

from building import BINARY, run


@pytest.fixture(scope="module")
def headers():
    return run("readelf", "-hldW", BINARY)


@pytest.fixture(scope="module")
def symbols():
    return set(re.findall(r" (\w+)@", run("readelf", "--dyn-syms", "-W", BINARY)))


@pytest.fixture(scope="module")
def code():
    """The instructions of each function by its name."""
    text = run("objdump", "-d", "--no-show-raw-insn", BINARY)
    return {name: body for name, body in re.findall(r"^[0-9a-f]+ <(\w+)>:\n((?:.+\n)+)", text, re.MULTILINE)}


def test_it_is_loaded_at_any_address(headers):
    assert re.search(r"Type:\s+DYN", headers)
    assert re.search(r"FLAGS_1.*\bPIE\b", headers)


def test_addresses_of_functions_are_read_only_once_it_runs(headers):
    assert "GNU_RELRO" in headers
    assert re.search(r"FLAGS_1.*\bNOW\b", headers)


def test_the_stack_is_not_executable(headers):
    assert re.search(r"GNU_STACK.* RW +0x", headers)
    assert not re.search(r"(LOAD|GNU_STACK).* RWE ", headers)


def test_libraries_come_from_the_system_only(headers):
    assert "RPATH" not in headers and "RUNPATH" not in headers


def test_what_overruns_a_buffer_on_the_stack_is_noticed(symbols, code):
    assert "__stack_chk_fail" in symbols
    guarded = [name for name, body in code.items() if "<__stack_chk_fail@plt>" in body]
    assert "main" in guarded or len(guarded) > 50, guarded


def test_calls_know_the_sizes_of_buffers(symbols):
    """Those whose sizes the compiler could not see to be right are told the size."""
    assert {"__snprintf_chk", "__vsnprintf_chk", "__memcpy_chk"} <= symbols


def test_sizes_of_allocated_buffers_are_known_too():
    """Level 3 leaves no mark of its own in the program: what it was built with says so."""
    assert "_FORTIFY_SOURCE=3" in (BINARY.parent / "build.ninja").read_text(encoding="utf-8")


if platform.machine() == "x86_64":

    def test_jumps_only_lead_to_where_functions_begin(code):
        unmarked = [name for name in ("main", "config_load", "table_unref", "error_set")
                    if "endbr64" not in code[name].splitlines()[0]]
        assert not unmarked

    def test_large_frames_touch_every_page_of_the_stack(code):
        """No frame of more than a page is entered without a look at each page."""
        probed = False
        for name, body in code.items():
            frames = [int(size, 16) for size in re.findall(r"sub +\$0x([0-9a-f]{1,8}),%rsp", body)]
            assert max(frames, default=0) <= 0x1000, f"{name} takes {max(frames)} bytes of stack at once"
            probed = probed or re.search(r"or[ql] +\$0x0,.*\(%rsp", body) is not None
        assert probed
