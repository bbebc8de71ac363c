# SPDX-License-Identifier: Apache-2.0
"""RocketMQ: NameServers, brokers, the Java clients and mqadmin, and the Go client."""

import pathlib
import shutil
import subprocess

from .ports import free_port
from .waiting import until

_CONF = (
    pathlib.Path(__file__).resolve().parents[1] / "parts" / "rocketmq-home" / "conf" / "logback.xml"
)

# What 2019's Java needs on today's, and flags that make a dozen small JVMs bearable on two cores.
_JVM = """
    --add-opens java.base/java.nio=ALL-UNNAMED --add-opens java.base/sun.nio.ch=ALL-UNNAMED
    --add-opens java.base/java.lang=ALL-UNNAMED --add-opens java.base/jdk.internal.ref=ALL-UNNAMED
    --add-exports java.base/jdk.internal.ref=ALL-UNNAMED
    --add-exports java.base/sun.nio.ch=ALL-UNNAMED
    -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xms64m -Xmx256m -XX:MaxDirectMemorySize=256m
""".split()

_SERVER_VERSION = "4.5.2"
_NAMESRV = "org.apache.rocketmq.namesrv.NamesrvStartup"


def java(
    run,
    name,
    version,
    main_class,
    arguments=(),
    *,
    properties=None,
    stdin=subprocess.DEVNULL,
    must_live=False,
):
    """Starts a class of RocketMQ `version`, or one of our Java programs compiled against it."""
    home = _home(run, f"{name}-home")
    defines = [
        f"-D{key}={value}" for key, value in {"user.home": home, **(properties or {})}.items()
    ]
    return run.start(
        name,
        ["java", *_JVM, *defines, "-cp", _class_path(run, version), main_class, *arguments],
        env={"ROCKETMQ_HOME": str(home)},
        stdin=stdin,
        must_live=must_live,
    )


def namesrv_command(run, config):
    """The program, arguments and environment by which somebody else starts a NameServer."""
    home = _home(run, "namesrv-home")
    arguments = [*_JVM, "-cp", _class_path(run, _SERVER_VERSION), _NAMESRV, "-c", config]
    return shutil.which("java"), arguments, {"ROCKETMQ_HOME": str(home)}


def _home(run, name):
    home = run.folder_for(name)
    conf = home / "conf"
    conf.mkdir()
    for tool in ("namesrv", "broker", "tools"):
        shutil.copy(_CONF, conf / f"logback_{tool}.xml")
    return home


def _class_path(run, version):
    part = run.parts / f"rocketmq-{version}"
    return f"{part}/classes:{part}/lib/*"


def found_by(address_server, subgroup):
    """The only two settings that a Java client gets."""
    return {"rocketmq.namesrv.domain": address_server, "rocketmq.namesrv.domain.subgroup": subgroup}


class NameServer:
    def __init__(self, run):
        self._run = run
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process = None

    def start(self):
        """Starts it and does not wait: several come up side by side."""
        config = self._run.folder_for(f"namesrv-{self.port}") / "namesrv.conf"
        config.write_text(f"listenPort={self.port}\n")
        self._process = java(
            self._run,
            "namesrv",
            _SERVER_VERSION,
            _NAMESRV,
            ["-c", config],
            must_live=True,
        )

    def await_up(self):
        until(
            f"NameServer {self.address} to boot",
            lambda: "boot success" in self._process.output(),
            timeout=60,
        )

    def kill(self):
        self._process.kill()


def start_clusters(run, sizes):
    """NameServers by cluster, all up."""
    clusters = {cluster: [NameServer(run) for _ in range(size)] for cluster, size in sizes.items()}
    everyone = [nameserver for nameservers in clusters.values() for nameserver in nameservers]
    for nameserver in everyone:
        nameserver.start()
    for nameserver in everyone:
        nameserver.await_up()
    return clusters


class Broker:
    """A broker that is told of its NameServers only where to ask, and the name of its cluster."""

    def __init__(self, run, cluster, address_server):
        folder = run.folder_for(f"broker-{cluster}")
        # It also listens two below (for senders in a hurry) and one above (for its replicas).
        port = free_port(also=(-2, 1))
        config = folder / "broker.conf"
        config.write_text(
            "\n".join(
                [
                    f"brokerClusterName={cluster}",
                    f"brokerName=broker-{cluster}",
                    "brokerId=0",
                    "brokerIP1=127.0.0.1",
                    f"listenPort={port}",
                    "fetchNamesrvAddrByAddressServer=true",
                    f"rmqAddressServerDomain={address_server}",
                    f"rmqAddressServerSubGroup={cluster}",
                    f"storePathRootDir={folder}/store",
                    f"storePathCommitLog={folder}/store/commitlog",
                    "mappedFileSizeCommitLog=16777216",
                    "mappedFileSizeConsumeQueue=600000",
                    "autoCreateTopicEnable=true",
                    "diskMaxUsedSpaceRatio=99",
                ]
            )
            + "\n"
        )
        self._cluster = cluster
        self._process = java(
            run,
            f"broker-{cluster}",
            _SERVER_VERSION,
            "org.apache.rocketmq.broker.BrokerStartup",
            ["-c", config],
            must_live=True,
        )

    def await_registered(self, nameservers):
        # It asks for the list 10 s after its start, and registers every 30 s.
        for nameserver in nameservers:
            until(
                f"broker of {self._cluster} to register with {nameserver.address}",
                lambda: f"to name server {nameserver.address} OK" in self._process.output(),
                timeout=90,
                every=0.5,
            )

    def kill(self):
        self._process.kill()


def produce(run, version, address_server, cluster, topic, count):
    process = java(
        run,
        f"produce-{version}",
        version,
        "Produce",
        [topic, str(count)],
        properties=found_by(address_server, cluster),
    )
    _assert_done(process, f"sent {count} failed 0")


def consume(run, version, address_server, cluster, topic, count):
    process = java(
        run,
        f"consume-{version}",
        version,
        "Consume",
        [topic, str(count)],
        properties=found_by(address_server, cluster),
    )
    _assert_done(process, f"consumed {count}")


class SteadyProducer:
    """A Java producer that sends and sends."""

    def __init__(self, run, version, address_server, cluster, topic):
        self._process = java(
            run,
            f"produce-{version}",
            version,
            "Produce",
            [topic, "0"],
            properties=found_by(address_server, cluster),
            stdin=subprocess.PIPE,
            must_live=True,
        )
        until(
            "the producer's first message", lambda: "sending" in self._process.output(), timeout=60
        )

    def finish(self):
        """What it says at its end; the log of a closing connection may stand behind it."""
        self._process.expect_end()
        self._process.end_input()
        self._process.wait(timeout=60)
        lines = self._process.output().splitlines()
        return next((line for line in reversed(lines) if line.startswith("sent ")), lines[-1])

    def kill(self):
        self._process.kill()


def cluster_list(run, address_server, cluster):
    """What `mqadmin clusterList` prints, without -n."""
    process = java(
        run,
        "mqadmin",
        _SERVER_VERSION,
        "org.apache.rocketmq.tools.command.MQAdminStartup",
        ["clusterList"],
        properties=found_by(address_server, cluster),
    )
    assert process.wait(timeout=60) == 0, process.tail()
    return process.output()


def go_client(run, command, url, topic, count):
    process = run.start(
        f"go-{command}", [run.parts / "rocketmq-go", command, url, topic, count], must_live=False
    )
    _assert_done(process, {"produce": f"sent {count}", "consume": f"consumed {count}"}[command])


def list_taken_by_old_go(run, url):
    """The list that a Go client takes from the answer, whatever its status."""
    process = run.start("go-rc5", [run.parts / "rocketmq-go-rc5", url], must_live=False)
    assert process.wait(timeout=30) == 0, process.tail()
    return _said(process, "list: ")


def list_taken_by_java_unit(run, version, address_server, cluster, unit):
    """The list that a Java client with a unit name takes."""
    process = java(
        run,
        "fetch-list",
        version,
        "FetchList",
        [unit],
        properties=found_by(address_server, cluster),
    )
    assert process.wait(timeout=30) == 0, process.tail()
    return _said(process, "list: ")


def java_on_error(run, version, url):
    """All that the Java client's HTTP reader prints on the answer: one line if all is quiet."""
    process = java(run, "error-form", version, "ErrorForm", [url])
    process.wait(timeout=30)
    return process.output().strip()


def _assert_done(process, last_line):
    try:
        status = process.wait(timeout=60)
    finally:
        process.kill()
    assert status == 0 and last_line in process.output().splitlines(), (
        f"{process.name}: status {status}, wanted the line '{last_line}'\n{process.tail()}"
    )


def _said(process, start):
    return next(
        line.removeprefix(start) for line in process.output().splitlines() if line.startswith(start)
    )
