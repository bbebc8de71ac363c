# SPDX-License-Identifier: Apache-2.0
"""A Nomad agent in dev mode, which runs jobs as child processes (raw_exec). Needs root.

The agent is the first process of a process namespace of its own: whatever it started is gone with
it, in whatever way it ends.
"""

import os
import pathlib
import re
import subprocess
import urllib.parse
from typing import NamedTuple

from . import web
from .ports import free_port
from .waiting import until

_ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGING = _ROOT / "packaging" / "nomad"
JOBS = _ROOT / "tests" / "real" / "jobs"

_CONTROL_GROUPS = pathlib.Path("/sys/fs/cgroup")

# Above those that free_port() gives.
_DYNAMIC_PORTS = (31001, 32000)


class Allocation(NamedTuple):
    id: str
    version: int  # of its job
    running: bool  # and meant to
    ports: dict  # by label

    def address(self, label):
        return f"127.0.0.1:{self.ports[label]}"


class Nomad:
    def __init__(self, run, consul):
        self._run = run
        self._consul = consul
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        self._allocations = run.folder_for("nomad-allocations")
        self._process = None

    def __enter__(self):
        folder = self._run.folder_for("nomad-agent")
        config = folder / "agent.hcl"
        config.write_text(self._config())
        self._process = self._run.start(
            "nomad",
            # Whoever kills unshare kills the agent, and with it the whole namespace.
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", self._run.parts / "nomad",
             "agent", "-dev", "-bind", "127.0.0.1", "-config", config],
        )  # fmt: skip
        until(
            "Nomad's node",
            lambda: web.get_json(self.address, "/v1/nodes"),
            lambda nodes: any(node["Status"] == "ready" and _can_run(node) for node in nodes),
            timeout=60,
        )
        return self

    def __exit__(self, *_):
        self._process.kill()
        until("the end of the tasks' control groups", self._remove_control_groups)

    def run(self, file, **variables):
        """Submits the job of a file. Variables are those of HCL: strings, numbers, truth values, lists."""
        self.command("job", "run", "-detach", *_variables(variables), file)

    def validate(self, file, **variables):
        """What Nomad says of a file, its drivers' settings included."""
        return self.command("job", "validate", *_variables(variables), file).strip()

    def stop(self, job):
        """Stops and forgets a job, and waits for its end."""
        self.command("job", "stop", "-detach", "-yes", job)
        until(f"the end of {job}", lambda: self.allocations(job), lambda found: not any(a.running for a in found), 60)

    def command(self, *arguments):
        """What a command of Nomad's prints."""
        done = subprocess.run(
            [self._run.parts / "nomad", *map(str, arguments)],
            env={"PATH": os.environ["PATH"], "NOMAD_ADDR": f"http://{self.address}"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"nomad {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def allocations(self, job):
        """All that this job ever had."""
        query = urllib.parse.urlencode({"resources": "true", "filter": f'JobID == "{job}"'})
        found = web.get_json(self.address, f"/v1/allocations?{query}")
        return [
            Allocation(
                a["ID"],
                a["JobVersion"],
                a["ClientStatus"] in ("pending", "running"),
                {port["Label"]: port["Value"] for port in a["AllocatedResources"]["Shared"]["Ports"] or ()},
            )
            for a in found
        ]

    def running(self, job):
        return [allocation for allocation in self.allocations(job) if allocation.running]

    def stop_allocation(self, allocation):
        """Nomad puts another one in its place."""
        web.put_json(self.address, f"/v1/allocation/{allocation.id}/stop")

    def version(self, job):
        return web.get_json(self.address, f"/v1/job/{job}")["Version"]

    def await_deployed(self, job, timeout=240.0):
        """Until the newest version of a job is healthy, and the only one that runs."""
        version = self.version(job)
        deployment = until(
            f"the end of the deployment of {job}, version {version}",
            lambda: web.get_json(self.address, f"/v1/job/{job}/deployment"),
            lambda d: d and d["JobVersion"] == version and d["Status"] not in ("initializing", "pending", "running"),
            timeout,
        )
        assert deployment["Status"] == "successful", f"{job}: {deployment['StatusDescription']}"
        return until(
            f"the end of what was before {job}, version {version}",
            lambda: self.running(job),
            lambda found: found and all(a.version == version for a in found),
        )

    def task_state(self, allocation, task):
        return web.get_json(self.address, f"/v1/allocation/{allocation.id}")["TaskStates"][task]

    def processes(self, job):
        """What works for a job on this machine, tasks and what Nomad adds, as pairs of pid and command line."""
        mine = re.compile("|".join(a.id for a in self.running(job)).encode())
        return [(pid, arguments) for pid, arguments, words in _processes() if mine.search(words)]

    def _remove_control_groups(self):
        """True once there are none of a task's: one cannot be removed before its last process is gone."""
        ours = {folder.name for folder in self._allocations.iterdir()}
        tops = [*_CONTROL_GROUPS.glob("*/nomad"), _CONTROL_GROUPS / "nomad.slice"]  # version 1 and 2 of them
        found = (path for top in tops for path, _, _ in os.walk(top, topdown=False))
        try:
            for path in found:
                if pathlib.Path(path).name.partition(".")[0] in ours:
                    os.rmdir(path)
        except OSError:
            return False
        return True

    def _config(self):
        rpc, serf = free_port(), free_port()
        first, last = _DYNAMIC_PORTS
        return f"""
            log_level = "INFO"
            disable_update_check = true
            ports {{
              http = {self._port}
              rpc  = {rpc}
              serf = {serf}
            }}
            consul {{
              address = "{self._consul.address}"
            }}
            client {{
              alloc_dir = "{self._allocations}"
              min_dynamic_port = {first}
              max_dynamic_port = {last}
              options {{
                "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"
              }}
            }}
            plugin "raw_exec" {{
              config {{
                enabled = true
              }}
            }}
        """


def _can_run(node):
    return (node["Drivers"] or {}).get("raw_exec", {}).get("Healthy")


def _variables(variables):
    return [word for name, value in variables.items() for word in ("-var", f"{name}={_hcl(value)}")]


def _hcl(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_quoted(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_quoted(item)}" for key, item in value.items()) + "}"
    return str(value)


def _quoted(text):
    """A string of HCL; ${...} is for Nomad's client, so HCL must not see it."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${") + '"'


def _processes():
    """Of each process: pid, command line, and all that may name an allocation: environment and open files, too."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
            files = [os.readlink(file).encode() for file in (folder / "fd").iterdir()]
            words = b"\n".join([line, (folder / "environ").read_bytes(), *files])
        except OSError:
            continue  # it has ended
        yield int(folder.name), line.decode(errors="replace").rstrip("\0").split("\0"), words
