# SPDX-License-Identifier: Apache-2.0
"""Each rule of each lint, proven on a small tree that breaks it - and on one that does not."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

import calls
import documents
import includes
import layout
import libconfig
import options
import text
import tools
from tree import ROOT

SPDX = "SPDX-License-Identifier: Apache-2.0"


def plant(root: Path, tree: dict[str, str]) -> None:
    for name, content in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def header(room: str, name: str, body: str = "") -> str:
    guard = f"{room}_{name}_H".upper()
    return (
        f"/*\n * {name}.h - an example.\n *\n * {SPDX}\n */\n"
        f"#ifndef {guard}\n#define {guard}\n{body}\n#endif\n"
    )


def expect(check, tree: dict[str, str], wanted: str | None, root: Path) -> None:
    """`wanted` is `path:line: part of the text`; None means no finding at all."""
    plant(root, tree)
    found = [str(f) for f in check(root)]
    if wanted is None:
        assert found == []
        return
    place, _, part = wanted.partition(": ")
    assert any(f.startswith(place + ": ") and part in f for f in found), found


HEADERS = {
    f"include/{p}.h": header(*p.split("/"))
    for p in ("base/log", "base/buf", "base/file", "model/table", "model/registry", "config/config",
              "consul/httpc", "source/source", "announce/announce", "serve/http")
}  # fmt: skip

INCLUDES = [
    # room, include line, part of the finding
    ("src/base/x.c", '"model/table.h"', "base/ must not include model/"),
    ("src/model/x.c", '"config/config.h"', "model/ must not include config/"),
    ("src/model/x.c", '"base/log.h"', "never logs"),
    ("src/model/x.c", '"base/file.h"', "no I/O"),
    ("src/model/x.c", "<time.h>", "takes the time as an argument"),
    ("src/model/x.c", "<unistd.h>", "no I/O"),
    ("src/config/x.c", '"consul/httpc.h"', "config/ must not include consul/"),
    ("src/consul/x.c", '"source/source.h"', "consul/ must not include source/"),
    ("src/consul/x.c", '"base/log.h"', "its callers log"),
    ("src/consul/x.c", '"model/registry.h"', "does not know what is served"),
    ("src/source/x.c", '"serve/http.h"', "source/ must not include serve/"),
    ("src/announce/x.c", '"serve/http.h"', "announce/ must not include serve/"),
    ("src/announce/x.c", '"source/source.h"', "announce/ must not include source/"),
    ("src/serve/x.c", '"consul/httpc.h"', "serve/ must not include consul/"),
    ("src/serve/x.c", '"source/source.h"', "serve/ must not include source/"),
    ("include/base/x.h", '"model/table.h"', "base/ must not include model/"),
    ("src/base/x.c", '"buf.h"', "write the room"),
    ("src/base/x.c", '"util/buf.h"', "not a room"),
    ("src/base/x.c", '"base/nowhere.h"', "does not exist"),
    ("src/serve/routes.c", "<microhttpd.h>", "only"),
    ("include/serve/http.h", "<microhttpd.h>", "only"),
    ("src/source/x.c", "<curl/curl.h>", "only"),
    ("src/serve/routes.c", "<cjson/cJSON.h>", "only"),
    ("src/base/x.c", "<libconfig.h>", "only"),
    ("include/model/x.h", "<libconfig.h>", "only"),
    ("src/base/x.c", "<jansson.h>", "neither the C library"),
    ("src/util/x.c", "<stdio.h>", "not in a room"),
    ("src/main.c", None, None),
    ("src/serve/http_daemon.c", "<microhttpd.h>", None),
    ("src/serve/status_json.c", "<cjson/cJSON.h>", None),
    ("src/consul/x.c", "<curl/curl.h>", None),
    ("src/config/x.c", "<libconfig.h>", None),
    ("src/source/x.c", '"consul/httpc.h"', None),
    ("include/source/x.h", "<uthash.h>", None),
    ("src/base/x.c", "<sys/socket.h>", None),
]


@pytest.mark.parametrize("path, what, part", INCLUDES)
def test_includes(tmp_path, path, what, part):
    line = f"#include {what}\n" if what else '#include "serve/http.h"\n#include "base/log.h"\n'
    where = None if part is None else f"{path}:{1 if part == 'not in a room' else 2}: {part}"
    expect(includes.check, HEADERS | {path: f"/* {SPDX} */\n" + line}, where, tmp_path)


@pytest.mark.parametrize("name", sorted(calls.BANNED))
def test_banned_calls(tmp_path, name):
    tree = {"src/base/x.c": f"void f(void)\n{{\n    (void){name}(a);\n}}\n"}
    expect(calls.check, tree, f"src/base/x.c:3: {name}(): use {calls.BANNED[name]}", tmp_path)


RESTRICTED = [
    ("src/serve/x.c", "exit(1);", "exit: only in src/main.c"),
    ("src/config/options.c", "exit(1);", "exit: only in src/main.c"),
    ("src/serve/x.c", 'printf("x");', "printf: only in src/main.c"),
    ("src/serve/x.c", 'fputs("x", stdout);', "stdout: only in src/main.c"),
    ("src/serve/x.c", 'fprintf(stderr, "x");', "stderr: only in src/main.c"),
    ("src/consul/x.c", 'perror("x");', "perror: only in src/main.c"),
    ("include/base/x.h", "static inline void f(void) { exit(1); }", "exit: only in"),
    ("src/base/x.c", "signal(SIGTERM, stop);", "signal: use sigaction"),
    ("src/main.c", 'printf("x"); exit(1); (void)signal(SIGPIPE, SIG_IGN);', None),
    ("src/config/argv.c", "exit(0);", None),
    ("src/base/log.c", 'fprintf(stderr, "x");', None),
    ("src/base/x.c", 'm->exit(1); m.system("x"); my_strcpy(a); snprintf(b); strtok_r(c);', None),
    ("src/base/x.c", '/* strcpy(a) */ const char *t = "strcpy(a) \\" atoi("; // exit(1)', None),
    ("src/base/x.c", "/* a\n strcpy(b)\n*/", None),
    ("include/base/banned.h", "#define strcpy(a, b) banned", None),
]


@pytest.mark.parametrize("path, code, part", RESTRICTED)
def test_restricted_calls(tmp_path, path, code, part):
    expect(calls.check, {path: code + "\n"}, part and f"{path}:1: {part}", tmp_path)


GOOD_TOP = {
    name: "" for name in sorted(layout.NEEDED - layout.FOLDERS)
} | {
    "src/main.c": f"/* {SPDX} */\n", "include/base/x.h": header("base", "x", "void f(void);"),
    "src/base/x.c": f"/* {SPDX} */\n", "conf/a": "", "packaging/a": "", "tests/a": "", ".ci/run": "",
}  # fmt: skip

LAYOUT = [
    ({}, None),
    ({"build-x/a.c": "", ".git/config": ""}, None),
    ({"docs/a.md": ""}, "docs:1: does not belong"),
    ({"Makefile": ""}, "Makefile:1: does not belong"),
    ({"README.md": None}, "README.md:1: is missing"),
    ({"include/base/y.h": header("base", "y", "int g(int a,\n      int b) MUST_CHECK;")},
     "include/base/y.h:1: declares functions"),
    ({"include/base/y.h": header("base", "y", "#define G(x) h(x);\nstatic inline int g(void)\n{\n"
      "    return h();\n}\nstruct s { void (*call)(int); };\ntypedef void fn(int);")}, None),
    ({"src/base/y.c": ""}, "src/base/y.c:1: has no include/base/y.h"),
    ({"src/base/x_one.c": "", "src/base/x_two.c": "", "src/base/x.c": None}, None),
    ({"src/base/xy.c": ""}, "src/base/xy.c:1: has no include/base/xy.h"),
    ({"src/base/y.h": header("base", "y")}, "src/base/y.h:1: headers live in"),
    ({"include/y.h": header("base", "y")}, "include/y.h:1: not in include/<room>/"),
    ({"include/base/y.h": header("base", "z")}, "include/base/y.h:1: must start with"),
    ({"include/base/y.h": header("model", "y")}, "include/base/y.h:1: needs the include guard BASE_Y"),
    ({"include/base/y.h": header("base", "y") + "int late;\n"}, "include/base/y.h:1: needs the inc"),
]  # fmt: skip


@pytest.mark.parametrize("change, wanted", LAYOUT)
def test_layout(tmp_path, change, wanted):
    tree = {k: v for k, v in (GOOD_TOP | change).items() if v is not None}
    expect(layout.check, tree, wanted, tmp_path)


MACHINE = "/ho" + "me/someone/x"  # in two parts, or this file breaks the rule itself

TEXT = [
    ({"a.py": f"# {SPDX}\n"}, None),
    ({"a.c": f"/*\n * a.c\n *\n * {SPDX}\n */\nint x;\n"}, None),
    ({"a.sh": f"#!/bin/sh\n# {SPDX}\n", "__init__.py": ""}, None),
    ({"a.c": "int x;\n"}, "a.c:1: the first comment must hold"),
    ({"a.py": f"x = 1\n# {SPDX}\n"}, "a.py:1: the first comment must hold"),
    ({"a.h": f"#ifndef A\n/* {SPDX} */\n#endif\n"}, "a.h:1: the first comment must hold"),
    ({"a.sh": "#!/bin/sh\necho\n"}, "a.sh:1: the first comment must hold"),
    ({".ci/run": "#!/bin/sh\n"}, ".ci/run:1: the first comment must hold"),
    ({"a.java": "class A {}\n"}, "a.java:1: the first comment must hold"),
    ({"a.md": f"see {MACHINE}\n"}, "a.md:1: path of one machine"),
    ({"a.md": "see /etc/nsaddrd/x, /tmp/y, https://example.com/home/x and $HOME/x\n"}, None),
    ({"a.c": f"/* {SPDX} */\nint x; \n"}, "a.c:2: blanks at the end"),
    ({"build/a.c": "int x;\n", "__pycache__/a.py": "x\n"}, None),
]


@pytest.mark.parametrize("tree, wanted", TEXT)
def test_text(tmp_path, tree, wanted):
    expect(text.check, tree, wanted, tmp_path)


TOOLS = [
    (tools.check_format, {"src/base/x.c": "int f(int a) { return a; }\n"}, "src/base/x.c:1: code "),
    (tools.check_format, {"tests/unit/x.c": "int  a;\n"}, "tests/unit/x.c:1: code "),
    (tools.check_format, {"src/base/x.c": "int f(int *a)\n{\n    return *a;\n}\n"}, None),
    (tools.check_shell, {"a.sh": "#!/bin/sh\necho $1\n"}, "a.sh:2: note: Double quote"),
    (tools.check_shell, {".ci/run": "#!/bin/sh\ncd x\n"}, ".ci/run:2: warning: Use 'cd"),
    (tools.check_shell, {"a.sh": "#!/bin/sh\nif\n"}, "a.sh:3: error: "),
    (tools.check_shell, {"a.sh": '#!/bin/sh\necho "$1"\n'}, None),
]


@pytest.mark.parametrize("check, tree, wanted", TOOLS)
def test_tools(tmp_path, check, tree, wanted):
    style = (ROOT / ".clang-format").read_text(encoding="utf-8")
    expect(check, tree | {".clang-format": style}, wanted, tmp_path)


TIDY = [
    ("int f(void);\nint f(void)\n{\n    int *p = 0;\n    return *p;\n}\n", "src/base/x.c:5: Deref"),
    ("int f(int a);\nint f(int a)\n{\n    return a;\n}\n", None),
]


@pytest.mark.parametrize("code, wanted", TIDY)
def test_tidy(tmp_path, code, wanted):
    database = [{"directory": str(tmp_path), "file": "src/base/x.c", "command": "clang -c src/base/x.c"}]
    plant(tmp_path, {
        ".clang-tidy": (ROOT / ".clang-tidy").read_text(encoding="utf-8"),
        "build-clang/compile_commands.json": json.dumps(database),
    })  # fmt: skip
    expect(tools.check_tidy, {"src/base/x.c": code}, wanted, tmp_path)


def test_tidy_without_a_build(tmp_path):
    expect(tools.check_tidy, {"src/base/x.c": ""}, "build-clang:1: is not there", tmp_path)


PRINTED = 'listen = [ "a:1" ];\nlog :\n{\n  level = "info";\n};\ntags = [ ];\nthreads = 0;\n'
SAMPLE = (
    '# Where. (restart)\n#listen = "a:1";\nlog : {\n    # How much.\n    #level = "info";\n};\n'
    "# More tags.\n#tags = [];\n# Threads.\n#threads = 0;\n"
)
ROWS = (
    '## Configuration\n| `listen` | list | `"a:1"` | where (restart) |\n| `log.level` | word | `"info"` | x |\n'
    "| `tags` | list | `[]` | more |\n| `threads` | number | `0` | how many |\n"
)
HELP = (
    "usage\n  listen  list  restart  default a:1  where\n  log.level  word  reload  default info  x\n"
    "  tags  list  reload  default []  more\n  threads  number  reload  default 0  x\n"
)
FAKE = f"""#!/bin/sh
case "$*" in
*--print-config) cat "${{0%/*}}/printed" ;;
*--help) cat "${{0%/*}}/help" ;;
-t*refused*) exit 78 ;;
-t*) grep -q REFUSE "$3" && exit 78; exit 0 ;;
esac
# {SPDX}
"""
CHINESE_ROWS = ROWS.replace("## Configuration", "## 配置").replace(" (restart)", "（需重启）")
GOOD_OPTIONS = {
    "build/nsaddrd": FAKE, "build/printed": PRINTED, "build/help": HELP,
    "conf/nsaddrd.conf": SAMPLE, "conf/quickstart.conf": "", "README.md": ROWS,
    "packaging/README.zh-CN.md": CHINESE_ROWS,
}  # fmt: skip

OPTIONS = [
    ({}, None),
    ({"build/printed": PRINTED + "fresh = 1;\n"}, "conf/nsaddrd.conf:1: fresh is missing"),
    ({"build/printed": PRINTED + "fresh = 1;\n"}, "README.md:1: fresh is missing"),
    ({"build/printed": PRINTED + "fresh = 1;\n"}, "--help:1: fresh is missing"),
    ({"conf/nsaddrd.conf": SAMPLE + "# Old.\n#old = 1;\n"}, "conf/nsaddrd.conf:12: old is not an"),
    ({"conf/nsaddrd.conf": SAMPLE.replace("= 0", "= 1")}, "conf/nsaddrd.conf:10: threads: default is 0"),
    ({"conf/nsaddrd.conf": SAMPLE.replace("= 0", "= false")}, "conf/nsaddrd.conf:10: threads: default"),
    ({"conf/nsaddrd.conf": SAMPLE.replace("#threads", "threads")}, "conf/nsaddrd.conf:10: threads must be comm"),
    ({"conf/nsaddrd.conf": SAMPLE.replace("# Threads.\n", "\n")}, "conf/nsaddrd.conf:10: has no explan"),
    ({"conf/nsaddrd.conf": SAMPLE + "x = ;\n"}, "conf/nsaddrd.conf:1: line 11"),
    ({"conf/nsaddrd.conf": None}, "conf/nsaddrd.conf:1: is missing"),
    ({"conf/quickstart.conf": "# REFUSE\n"}, "conf/quickstart.conf:1: -t: exit 78"),
    ({"conf/quickstart.conf": None}, "conf/quickstart.conf:1: is missing"),
    ({"README.md": ROWS.replace("`0`", "`4`")}, "README.md:5: threads: default is 0"),
    ({"README.md": ROWS.replace("`0`", "`?`")}, "README.md:5: threads: default ?"),
    ({"README.md": ROWS + "| `old` | word | `\"\"` | gone |\n"}, "README.md:6: old is not an option"),
    ({"README.md": ROWS + "| `tags` | list | `[]` | again |\n"}, "README.md:6: tags has two rows"),
    ({"packaging/README.zh-CN.md": ROWS}, "packaging/README.zh-CN.md:1: listen is missing"),
    ({"packaging/README.zh-CN.md": CHINESE_ROWS.replace("（需重启）", "")}, "packaging/README.zh-CN.md:2: listen takes"),
    ({"README.md": "## Else" + ROWS[16:]}, "README.md:1: listen is missing"),
    ({"build/help": HELP + "  old  word  default x  y\n"}, "--help:1: old is not in --print-config"),
    ({"build/help": HELP.replace("reload  default 0", "default 0")}, "--help:1: threads has neither reload nor"),
    ({"conf/nsaddrd.conf": SAMPLE.replace(" (restart)", "")}, "conf/nsaddrd.conf:2: listen takes a restart"),
    ({"conf/nsaddrd.conf": SAMPLE.replace("much.", "much. (restart)")}, "conf/nsaddrd.conf:5: log.level takes no"),
    ({"README.md": ROWS.replace(" (restart)", "")}, "README.md:2: listen takes a restart"),
    ({"build/printed": "listen = ;\n"}, "nsaddrd:1: line 1"),
    ({"build/nsaddrd": "#!/bin/sh\nexit 3\n"}, "nsaddrd:1: --print-config: exit 3"),
]  # fmt: skip


@pytest.mark.parametrize("change, wanted", OPTIONS)
def test_options(tmp_path, monkeypatch, change, wanted):
    monkeypatch.delenv("NSADDRD_BIN", raising=False)
    tree = {k: v for k, v in (GOOD_OPTIONS | change).items() if v is not None}
    plant(tmp_path, {"build/nsaddrd": ""})
    (tmp_path / "build/nsaddrd").chmod(0o755)
    expect(options.check, tree, wanted, tmp_path)


def test_options_without_a_binary(tmp_path, monkeypatch):
    monkeypatch.delenv("NSADDRD_BIN", raising=False)
    expect(options.check, {}, f"{tmp_path}/build/nsaddrd:1: is not built", tmp_path)


def test_libconfig_reader():
    text_ = (
        'a = 1; b : { c = "x" "y\\n"; d = { e = true; }; }; # f = 2\n'
        '/* g = 3; */ h = [1, 2]; i = ( { j = 0x10; }, "k" ); // l\nm = -2.5, n = 7L'
    )
    assert libconfig.read_settings(text_) == {
        "a": 1, "b.c": "xy\n", "b.d.e": True, "h": [1, 2], "i": [{"j": 16}, "k"], "m": -2.5, "n": 7,
    }  # fmt: skip


@pytest.mark.parametrize("one, other, equal", [
    ("60s", "1m", True), ("1m30s", "90s", True), ("60s", "61s", False), ("a", ["a"], True),
    ("", [], True), ([], [], True), (["a", "b"], ["b", "a"], False), (1, True, False), ("1s", 1000, False),
])  # fmt: skip
def test_same_values(one, other, equal):
    assert libconfig.same(one, other) is equal


@pytest.mark.parametrize("bad", ["a = ;", "a 1;", "a = 1; a = 2;", "a = { b = 1;", "a = [1 2];", "}"])
def test_libconfig_reader_refuses(bad):
    with pytest.raises(libconfig.SyntaxProblem):
        libconfig.read_settings(bad)


HELP_FLAGS = (
    "Usage: nsaddrd [-c FILE] [--once]\n       nsaddrd explain ID\n\n"
    "  -c, --config FILE  read it\n      --once         print\n  -V  version\n"
)
PAGE = """.Dd November 21, 2026
.Dt NSADDRD 8
.Os
.Sh NAME
.Nm nsaddrd
.Nd an example
.Sh DESCRIPTION
.Bl -tag -width Ds
.It Fl c , Fl Fl config Ar file
Read it.
.It Fl Fl once
Print.
.It Fl V
Version.
.It Cm explain
Why.
.El
"""
PAGE_5 = PAGE.replace("NSADDRD 8", "NSADDRD 5")
GOOD_FLAGS = {
    "build/nsaddrd": FAKE, "build/help": HELP_FLAGS, "build/printed": "", documents.MAN: PAGE,
    "build/packaging/nsaddrd.conf.5": PAGE_5,
} | {f"build/{name}": "--config --once explain" for name in documents.COMPLETIONS}  # fmt: skip
BASH = documents.COMPLETIONS[0]

DOCUMENTS = [
    (documents.check_man, {}, None),
    (documents.check_man, {documents.MAN: None}, f"{documents.MAN}:1: is missing"),
    (documents.check_man, {documents.MAN: PAGE.replace(".El\n", "")}, f"{documents.MAN}:8: ERROR"),
    (documents.check_man, {documents.MAN: PAGE + ".Foo bar\n"}, f"{documents.MAN}:18: ERROR"),
    (documents.check_man, {"build/packaging/nsaddrd.conf.5": PAGE_5 + ".Foo bar\n"}, "packaging/nsaddrd.conf.5:18: ERROR"),
    (documents.check_flags, {}, None),
    (documents.check_flags, {documents.MAN: PAGE.replace("Fl c ,", "")}, f"{documents.MAN}:1: -c is not"),
    (documents.check_flags, {documents.MAN: PAGE.replace("once", "twice")}, f"{documents.MAN}:1: --once is not"),
    (documents.check_flags, {documents.MAN: PAGE.replace("once", "twice")}, f"{documents.MAN}:1: --twice is not in"),
    (documents.check_flags, {documents.MAN: PAGE.replace("Cm explain", "Cm else")}, f"{documents.MAN}:1: explain is"),
    (documents.check_flags, {f"build/{BASH}": "--config explain"}, f"{BASH}:1: once is not completed"),
    (documents.check_flags, {f"build/{BASH}": "--config --once"}, f"{BASH}:1: explain is not completed"),
    (documents.check_flags, {"build/help": "none\n"}, "--help:1: lists no flag"),
]  # fmt: skip


@pytest.mark.parametrize("check, change, wanted", DOCUMENTS)
def test_documents(tmp_path, monkeypatch, check, change, wanted):
    monkeypatch.delenv("NSADDRD_BIN", raising=False)
    plant(tmp_path, {"build/nsaddrd": ""})
    (tmp_path / "build/nsaddrd").chmod(0o755)
    tree = {k: v for k, v in (GOOD_FLAGS | change).items() if v is not None}
    expect(check, tree, wanted, tmp_path)


LINKS = [
    ("[a](other.md)", None),
    ("[a](other.md#two-words)", None),
    ("[a](#here)\n\n# Here", None),
    ("[a](http://example.com/x)", None),
    ("`code`\n\n    [a](nowhere.md)\n", None),
    ("[a](nowhere.md)", "README.md:1: nowhere.md: there is no such file"),
    ("[a](other.md#three)", "README.md:1: other.md#three: there is no such heading"),
    ("x\n[a](#there)", "README.md:2: #there: there is no such heading"),
]


@pytest.mark.parametrize("written, wanted", LINKS)
def test_links(tmp_path, written, wanted):
    expect(documents.check_links, {"README.md": written, "other.md": "## Two, words\n"}, wanted, tmp_path)


LOGGED = {
    "src/base/x.c": 'LOG_WARN("all is "\n     "well, mostly", F_INT("n", 1));\n',
    documents.TROUBLESHOOTING: "# A\n\n| `elsewhere` | x |\n\n## What the log says\n\n| `all is well` | x |\n",
}

MESSAGES = [
    ({}, None),
    ({"src/base/x.c": 'LOG_WARN("all was well");\n'}, ":7: nothing logs: all is well"),
    ({"src/base/y.c": 'LOG_ERROR(\n    "all was "\n    "well");\n'}, ":1: does not explain what src/base/y.c logs: all was"),
    ({"src/base/y.c": 'LOG_INFO("all was well");\n'}, None),
    ({documents.TROUBLESHOOTING: "# A\n"}, ":1: explains no line"),
    ({documents.TROUBLESHOOTING: None}, ":1: is missing"),
]  # fmt: skip


@pytest.mark.parametrize("change, wanted", MESSAGES)
def test_messages(tmp_path, change, wanted):
    tree = {k: v for k, v in (LOGGED | change).items() if v is not None}
    expect(documents.check_messages, tree, wanted and documents.TROUBLESHOOTING + wanted, tmp_path)


ENGLISH = "# A\n\n    run it\n\n## B\n\n```sh\nls\n```\n\n| a | b |\n|---|---|\n| `c` | d |\n"
CHINESE = ENGLISH.replace("A", "甲").replace("B", "乙")

TRANSLATED = [
    (CHINESE, None),
    (None, "zh.md:1: is missing"),
    (CHINESE.replace("## 乙", "### 乙"), "zh.md:5: the headings are not"),
    (CHINESE.replace("## 乙", "乙"), "zh.md:1: the headings are not"),
    (CHINESE + "## 丙\n", "zh.md:14: the headings are not"),
    (CHINESE.replace("run it", "run this"), "zh.md:1: code is not that of en.md: run it"),
    (CHINESE.replace("ls", "ls -l"), "zh.md:1: code is not that of en.md: ```sh"),
    (CHINESE + "| c | d |\n", "zh.md:1: 4 rows of tables, en.md has 3"),
    (CHINESE.replace("`c`", "`e`"), "zh.md:13: en.md has this row: | `c`"),
]


@pytest.mark.parametrize("chinese, wanted", TRANSLATED)
def test_translations(tmp_path, monkeypatch, chinese, wanted):
    monkeypatch.setattr(documents, "TRANSLATIONS", {"en.md": "zh.md"})
    tree = {"en.md": ENGLISH} | ({"zh.md": chinese} if chinese else {})
    expect(documents.check_translations, tree, wanted, tmp_path)
