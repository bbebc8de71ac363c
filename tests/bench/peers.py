# SPDX-License-Identifier: Apache-2.0
"""What is used instead of nsaddrd: consul-template with one file for all, or a rendered Go program for each."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import time

from catalog import PREFIX, cluster_name
from machine import memory_kb
from probes import Connections
from realparts.waiting import until
from servers import HERE, free_port, get

_PART = HERE / "parts" / "consul-template"
_CACHE = pathlib.Path(
    os.environ.get("NSADDRD_TEST_CACHE")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "nsaddrd-tests"
)
_SERVICE = '{{ range service "%s" }}{{ .Address }}:{{ .Port }};{{ end }}\n'
_ALL = (
    '{{ range services }}{{ if .Name | regexMatch "^%s" }}{{ .Name }} '
    "{{ range service .Name }}{{ .Address }}:{{ .Port }};{{ end }}\n{{ end }}{{ end }}"
)


def build_consul_template():
    """The program, built once for each state of its go.mod and go.sum."""
    files = [_PART / "go.mod", _PART / "go.sum"]
    key = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    program = _CACHE / f"consul-template-{key}"
    if not program.exists():
        stage = _CACHE / f"stage-consul-template-{os.getpid()}"
        stage.mkdir(parents=True)
        for file in files:
            shutil.copy(file, stage)
        environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
        command = ["go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
                   "-o", "program", "github.com/hashicorp/consul-template"]
        subprocess.run(["nice", "-n", "10", *command], cwd=stage, env=environment, check=True)
        (stage / "program").replace(program)
        shutil.rmtree(stage)
    return program


class ConsulTemplate:
    """consul-template with all clusters in one file, or with only the first. Its options are as they come."""

    def __init__(self, run, consul, only_first=False):
        self._run, self._consul = run, consul
        self._template = _SERVICE % (PREFIX + cluster_name(0)) if only_first else _ALL % PREFIX
        self._file = self._process = self._started = self._seen = None
        self._text = ""

    @property
    def pid(self):
        return self._process.pid

    def __enter__(self):
        program = build_consul_template()
        folder = self._run.folder_for("consul-template-files")
        (folder / "in").write_text(self._template)
        self._file = folder / "out"
        (folder / "config.hcl").write_text(
            f'consul {{ address = "{self._consul.address}" }}\n'
            f'template {{ source = "{folder}/in" destination = "{self._file}" }}\n'
        )
        self._started = time.monotonic()
        self._process = self._run.start(
            "consul-template", [program, "-config", folder / "config.hcl"], must_live=False
        )
        return self

    def __exit__(self, *_):
        self._process.kill()

    def first_file(self, instances, patience):
        """When each address was in it, in seconds. complete is None if that never came, and why says how it went."""
        wanted = {instance.address for instance in instances}
        while True:
            took = time.monotonic() - self._started
            self._read()
            if wanted <= set(re.findall(r"[0-9.]+:[0-9]+", self._text)):
                return {"complete": took}
            if not self._process.is_running() or took > patience:
                return {"complete": None, "why": self._how_it_went(took)}
            time.sleep(min(0.1, max(0.002, took / 20)))

    def has(self, change):
        """Is the address in the file now?"""
        self._read()
        return change.instance.address + ";" in self._text

    def _read(self):
        try:
            status = os.stat(self._file)
        except FileNotFoundError:
            return
        if (status.st_ino, status.st_mtime_ns) != self._seen:
            self._seen = (status.st_ino, status.st_mtime_ns)
            self._text = self._file.read_text()

    def _how_it_went(self, took):
        log = self._process.output()
        refused = len(re.findall(r"429|Too Many Requests|connection reset|EOF", log))
        ended = "still trying" if self._process.is_running() else f"it ended with status {self._process.wait(1)}"
        return f"no file in {took:.0f} s, {ended}, {refused} refusals in its log"


def replaced(run, consul):
    """One program as there was one for each cluster: go run on a rendered file, which holds the list."""
    with ConsulTemplate(run, consul, only_first=True) as template:
        with Connections(template.pid, int(consul.address.rpartition(":")[2])) as connections:
            time.sleep(5)
        watch = memory_kb(template.pid)
    port = free_port()
    cache = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    listing = "10.0.0.1:9876;10.0.0.2:9876;10.0.0.3:9876"
    process = run.start(
        "replaced",
        ["go", "run", HERE / "parts" / "static.go", f"127.0.0.1:{port}", listing, '"0"'],
        env={"GOCACHE": cache, "GOFLAGS": "", "CGO_ENABLED": "0"},
    )
    try:
        until("an answer of the Go program", lambda: get(port, "/rocketmq/a"), timeout=120)
        for _ in range(100):
            get(port, "/rocketmq/a")
        program = memory_kb(_child_of(process.pid))
        return {"program": program, "go run": memory_kb(process.pid),
                "template": {"connections": connections.most, "memory": watch}}
    finally:
        process.kill()


def _child_of(pid):
    tasks = pathlib.Path(f"/proc/{pid}/task")
    return int(next(child for task in tasks.iterdir() for child in (task / "children").read_text().split()))
