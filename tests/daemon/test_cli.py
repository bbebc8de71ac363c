# SPDX-License-Identifier: Apache-2.0
"""The command line: checking, printing, one-shot reading, and which source of a setting wins."""

import re

import pytest

from fake_consul import Instance, Reply

OPTIONS = """
    listen admin.listen http.threads http.max_connections http.idle_timeout
    consul.enabled consul.address consul.token consul.token_file consul.datacenter consul.namespace
    consul.partition consul.service_prefix consul.exclude consul.accept consul.address_from
    consul.consistency consul.wait consul.max_watches consul.tls.ca_file consul.tls.ca_path
    consul.tls.cert_file consul.tls.key_file consul.tls.server_name consul.tls.verify
    admission.settle admission.leave_delay admission.gone_delay
    register.mode register.name register.advertise register.tag register.tags register.check_interval
    register.check_timeout register.deregister_after register.drain
    static_clusters default_cluster state.dir log.level log.format
""".split()

SAMPLE = """
listen = [ "127.0.0.1:8080", "[::1]:8080" ];
consul : { token = "very-secret-token"; wait = "90s"; exclude = [ "x", "y" ]; };
register : { tags = [ "back\\\\slash" ]; };
static_clusters = ( { id = "demo"; addresses = [ "10.0.0.2:9876", "[2001:db8::1]:9876" ]; },
                    { id = "other"; addresses = [ "10.0.0.1:9876" ]; } );
"""


def test_good_file_checks_silently(command):
    result = command("-t", config=SAMPLE)
    assert (result.returncode, result.stderr) == (0, "")


def test_version_names_the_libraries(command):
    result = command("-V")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.match(r"nsaddrd \d+\.\d+", result.stdout)
    assert not [name for name in ("libmicrohttpd", "curl", "cJSON", "libconfig")
                if name.lower() not in result.stdout.lower()]


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_has_every_option_and_flag(command, flag):
    result = command(flag)
    assert (result.returncode, result.stderr) == (0, "")
    words = set(re.findall(r"[\w.-]+", result.stdout))
    assert not [name for name in OPTIONS if name not in words]
    assert not [name for name in ("-c", "-t", "--print-config", "--once", "-o", "-V", "-h") if name not in words]


def printed(command, **options):
    result = command("--print-config", **options)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_printed_config_is_config_and_stays_the_same(command):
    text = printed(command, config=SAMPLE)
    assert command("-t", config=text).returncode == 0
    assert printed(command, config=text) == text


def test_printed_config_has_every_option(command):
    text = printed(command, config="")
    assert not [name for name in OPTIONS if not re.search(rf"\b{name.rsplit('.')[-1]}\b", text)]


def test_printed_config_masks_the_token(command):
    text = printed(command, config=SAMPLE)
    assert "very-secret-token" not in text
    assert re.search(r"\btoken\s*=", text)


@pytest.mark.parametrize("sources, winner", [
    ({"default"}, "http://127.0.0.1:8500"),
    ({"default", "consul"}, "10.1.1.1:1"),
    ({"default", "consul", "file"}, "http://10.1.1.1:2"),
    ({"default", "consul", "file", "environment"}, "http://10.1.1.1:3"),
    ({"default", "consul", "file", "environment", "override"}, "http://10.1.1.1:4"),
], ids=["default", "consul_variable", "file", "environment", "override"])
def test_stronger_source_wins(command, sources, winner):
    env = {}
    if "consul" in sources:
        env["CONSUL_HTTP_ADDR"] = "10.1.1.1:1"
    if "environment" in sources:
        env["NSADDRD_CONSUL_ADDRESS"] = "http://10.1.1.1:3"
    config = 'consul : { address = "http://10.1.1.1:2"; };' if "file" in sources else ""
    arguments = ["-o", "consul.address=http://10.1.1.1:4"] if "override" in sources else []
    result = command("--print-config", *arguments, config=config, env=env)
    addresses = re.findall(r'\baddress\s*=\s*"(?:http://)?([^"]*)"', result.stdout)
    assert addresses == [winner.removeprefix("http://")]


def test_lists_can_be_given_by_override(command):
    text = command("--print-config", "-o", "static_clusters=demo=10.0.0.2:9876;10.0.0.1:9876",
                   "-o", "consul.exclude=x,y", config="").stdout
    assert "10.0.0.2:9876" in text and "10.0.0.1:9876" in text
    assert re.search(r'exclude\s*=\s*\[\s*"x",\s*"y"\s*\]', text)


def once(command, consul, *arguments, **options):
    return command("--once", "-o", f"consul.address={consul.url}", *arguments, config=options.pop("config", ""),
                   **options)


def test_once_prints_every_cluster_sorted(command, consul):
    consul.set_service("nameServerb", [Instance("10.0.0.2"), Instance("10.0.0.1")])
    consul.set_service("nameServera", [Instance("10.0.0.3")])
    consul.set_service("unrelated", [Instance("10.0.0.4")])
    result = once(command, consul, config='static_clusters = ( { id = "demo"; addresses = [ "10.0.0.9:1" ]; } );')
    assert result.stdout == "a\t10.0.0.3:9876\nb\t10.0.0.1:9876;10.0.0.2:9876\ndemo\t10.0.0.9:1\n"
    assert result.returncode == 0


def test_once_writes_nothing_to_consul(command, consul):
    consul.set_service("nameServera", [Instance()])
    assert once(command, consul).returncode == 0
    assert consul.writes() == []


def test_once_fails_when_consul_is_away(command, consul):
    consul.stop()
    result = once(command, consul, config='static_clusters = ( { id = "demo"; addresses = [ "10.0.0.9:1" ]; } );')
    assert result.returncode == 1
    assert result.stderr != ""


def test_once_fails_when_one_cluster_cannot_be_read(command, consul):
    consul.set_service("nameServera", [Instance()])
    consul.set_service("nameServerb", [Instance()])
    consul.answer("/v1/health/service/nameServerb", Reply(500, "No cluster leader"))
    assert once(command, consul).returncode == 1
