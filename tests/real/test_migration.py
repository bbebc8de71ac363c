# SPDX-License-Identifier: Apache-2.0
"""packaging/guide/migration.md, step by step: each command in it is run, and no request fails."""

import contextlib
import os
import pathlib
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from realparts import web
from realparts.nsaddrd import BINARY, Nsaddrd
from realparts.old_program import OldProgram
from realparts.ports import free_port
from realparts.waiting import until
from realparts.watcher import Watcher

_GUIDE = pathlib.Path(__file__).parents[2] / "packaging/guide/migration.md"
# The name of one cluster is the start of the other's.
PORTS = {"a": (9876, 9877), "ab": (9976, 9977)}


class Guide:
    """Blocks of code, in order, by section and language. Each is given out once."""

    def __init__(self, text):
        self._left = []
        for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
            title = section.splitlines()[0]
            for language, code in re.findall(r"^```(\w+)\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
                self._left.append((title, language, code))

    def take(self, section, language):
        """The next block, which must be this one."""
        title, found, code = self._left.pop(0)
        assert title.startswith(section) and found == language, f"the guide has: {title}: {code}"
        return code

    def settings(self, section):
        """The group `register` of a block of configuration."""
        group = re.search(r"^register +: \{(.*)\};$", self.take(section, "libconfig"), re.MULTILINE)
        return {f"register.{key}": value for key, value in re.findall(r'(\w+) = "([^"]*)";', group[1])}

    def assert_done(self):
        assert not self._left, f"not run: {self._left}"


class Shell:
    """A bash that remembers variables and functions from block to block."""

    def __init__(self, folder):
        environment = {"PATH": f"{BINARY.parent}:{os.environ['PATH']}", "HOME": str(folder)}
        self._bash = subprocess.Popen(
            ["bash"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, bufsize=1,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bash.kill()
        self._bash.communicate()

    def run(self, code):
        """What it prints. Its commands must succeed."""
        self._bash.stdin.write(f"{{ {code}\n}} </dev/null; echo \"status: $?\"\n")
        lines = []
        for line in self._bash.stdout:
            if line.startswith("status: "):
                assert line == "status: 0\n", f"{code}\n{line}{''.join(lines)}"
                return "".join(lines)
            lines.append(line)
        raise AssertionError(f"the shell ended in\n{code}\n{''.join(lines)}")


def weights(fabio):
    """{cluster: sorted weights of its targets that are nsaddrd's, those of others}"""
    found = {}
    for route in fabio.table():
        cluster = route["path"].removeprefix("/rocketmq/")
        ours, others = found.setdefault(cluster, ([], []))
        (ours if route["service"].startswith("nameSvrIndex") else others).append(round(route["weight"], 4))
    return found


def await_weights(fabio, ours, others):
    wanted = {cluster: (ours, others) for cluster in PORTS}
    until(f"the weights {ours} and {others}", lambda: weights(fabio), lambda seen: seen == wanted)


def stop_all(replicas):
    with ThreadPoolExecutor() as pool:
        list(pool.map(Nsaddrd.stop, replicas))


def reload_all(replicas, settings):
    for replica in replicas:
        replica.change(settings)
        replica.reload()


def restart(replicas, settings, fabio, routes=PORTS):
    """One after the other, each until fabio knows it again."""
    for replica in replicas:
        replica.change(settings)
        replica.stop()
        replica.start()
        for route in routes:
            fabio.await_route(f"/rocketmq/{route}", replica.address)


@pytest.fixture(name="old")
def start_old_programs(consul):
    with contextlib.ExitStack() as stack:
        old = {}
        for cluster, ports in PORTS.items():
            for port in ports:
                consul.register(f"nameServer{cluster}", port, service_id=f"ns-{port}", tcp_check=False)
            # Its order is not ours.
            body = ";".join(f"127.0.0.1:{port}" for port in reversed(ports))
            old[cluster] = stack.enter_context(OldProgram(consul, cluster, body))
        yield old
    consul.deregister_all()


def test_the_guide(run, consul, fabio, old):
    guide = Guide(_GUIDE.read_text())
    admin = f"127.0.0.1:{free_port()}"
    state = run.folder_for("state")
    base = {"register.drain": "0s", "state.dir": str(state), "admin.listen": admin}
    own = {c: ";".join(f"127.0.0.1:{port}" for port in ports) for c, ports in PORTS.items()}
    await_weights(fabio, [], [1])
    with contextlib.ExitStack() as stack:
        shell = stack.enter_context(Shell(run.folder_for("shell")))
        values = guide.take("What you need", "sh")
        mode_off = guide.settings("1.")
        one = Nsaddrd(run, consul.address, base | mode_off)
        other = Nsaddrd(run, consul.address, mode_off | {"register.drain": "0s"})
        replicas = [stack.enter_context(one), stack.enter_context(other)]
        watchers = {c: stack.enter_context(Watcher(fabio.address, f"/rocketmq/{c}", pause=0.01)) for c in PORTS}
        real = {
            "FABIO": f"http://{fabio.address}", "ROUTES": fabio.table_url,
            "NSADDRD": f"http://{one.address}", "ADMIN": f"http://{admin}", "CONF": str(one.config),
        }  # fmt: skip
        names = re.findall(r"^(\w+)=", values, re.MULTILINE)
        assert sorted(names) == sorted(real)
        for name in names:
            values = re.sub(rf"^{name}=\S+", f"{name}={real[name]}", values, flags=re.MULTILINE)
        shell.run(values)

        # 1. Beside: nobody is sent to it.
        for cluster in PORTS:
            until("its list", lambda: one.get(f"/rocketmq/{cluster}").body, lambda b: b == own[cluster])
        assert shell.run(guide.take("1.", "sh")) == f"a\t{own['a']}\nab\t{own['ab']}\n"
        assert 'nsaddrd_clusters{state="live"} 2\n' in shell.run(guide.take("1.", "sh"))
        assert weights(fabio) == {cluster: ([], [1]) for cluster in PORTS}

        # 2. The comparison finds what differs, and only that.
        compare = guide.take("2.", "sh")
        missing = guide.take("2.", "sh")
        assert shell.run(compare) == "same a\nsame ab\n"
        assert shell.run(missing) == ""
        with OldProgram(consul, "unknown", "127.0.0.1:1"), OldProgram(consul, "b", "127.0.0.1:2;127.0.0.1:3"):
            consul.register("nameServerb", 2, service_id="ns-2", tcp_check=False)
            fabio.await_path("/rocketmq/unknown")
            fabio.await_path("/rocketmq/b")
            until("the list of b", lambda: one.get("/rocketmq/b").body, lambda b: b == "127.0.0.1:2")
            different = "DIFFERENT b: 127.0.0.1:2;127.0.0.1:3 | 127.0.0.1:2\n"
            assert shell.run(compare) == f"same a\nsame ab\n{different}"
            assert shell.run(missing) == "unknown\n"
        # nsaddrd would go on holding the list of b.
        for replica in replicas:
            replica.change({"consul.exclude": ["b"]})
        consul.deregister("ns-2")

        # 3. A few requests.
        restart(replicas, guide.settings("3.") | {"register.drain": "3s"}, fabio)
        shell.run(f"CONF={one.config}")
        await_weights(fabio, [0.05, 0.05], [0.9])
        assert len(shell.run(guide.take("3.", "sh")).splitlines()) == 6
        count, *metrics = shell.run(guide.take("3.", "sh")).splitlines()
        assert 0 <= int(count) < 60
        assert any('code="200"' in line for line in metrics)

        # 4. All requests; the old programs are a reserve.
        reload_all(replicas, guide.settings("4."))
        await_weights(fabio, [0.5, 0.5], [0])
        asked = {cluster: program.asked for cluster, program in old.items()}
        *table, count = shell.run(guide.take("4.", "sh")).splitlines()
        assert len(table) == 6 and count == "100"
        assert {cluster: program.asked for cluster, program in old.items()} == asked
        stop_all(replicas)
        await_weights(fabio, [], [1])
        until("the reserve to be asked", lambda: all(old[c].asked > asked[c] for c in old))
        for replica in replicas:
            replica.start()
        await_weights(fabio, [0.5, 0.5], [0])

        # 5. The old programs go.
        old["a"].stop()
        old["ab"].stop()
        await_weights(fabio, [0.5, 0.5], [])
        shell.run(f"CONF={one.config}")
        output = shell.run(guide.take("5.", "sh"))
        assert len(output.splitlines()) == 6 and output.endswith("same a\nsame ab\n")

        # 6. Without weights, and then one route for all.
        reload_all(replicas, guide.settings("6.") | {"register.tag": "urlprefix-/rocketmq/<cluster-id>"})
        until(
            "tags without weights",
            lambda: web.get_json(consul.address, "/v1/agent/services"),
            lambda services: "weight" not in str(services),
        )
        restart(replicas, {"register.mode": "single"}, fabio, routes=[""])
        until(
            "one route for all",
            fabio.routes,
            lambda routes: routes == {("/rocketmq/", replica.address) for replica in replicas},
        )

    guide.assert_done()
    for cluster, watcher in watchers.items():
        allowed = {web.Reply(200, "", "", own[cluster]), web.Reply(200, "", "", old[cluster].body)}
        assert watcher.outcomes() <= allowed, (cluster, watcher.outcomes() - allowed)
        assert watcher.asked > 500
