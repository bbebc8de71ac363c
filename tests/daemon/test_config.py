# SPDX-License-Identifier: Apache-2.0
"""Bad configuration is refused with one line that says where, which key, and what would be right."""

import re
import socket
import stat

import pytest

from ports import free_port

EX_CONFIG = 78


def only_line(result):
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert result.stdout == ""
    return lines[0]


# What is wrong, the settings from line 2 on, the line and key to be named, and words the message needs.
BAD_FILES = [
    ("unknown_key", 'consul : { adress = "http://127.0.0.1:8500"; };', 2, "consul.adress", ["consul.address"]),
    ("unknown_key_on_top", 'listne = "127.0.0.1:8080";', 2, "listne", ["listen"]),
    ("unknown_group", 'consol : { token = "x"; };', 2, "consol", ["consul"]),
    ("unknown_key_in_nested_group", 'consul : { tls : { cafile = "x"; }; };', 2, "consul.tls.cafile", ["ca_file"]),
    ("value_where_a_group_belongs", 'consul = "http://127.0.0.1:8500";', 2, "consul", []),
    ("group_where_a_value_belongs", 'listen : { port = 80; };', 2, "listen", []),
    ("number_for_a_string", "consul : { service_prefix = 5; };", 2, "consul.service_prefix", ["string"]),
    ("string_for_a_bool", '\nconsul : { enabled = "perhaps"; };', 3, "consul.enabled", ["true", "false"]),
    ("string_for_a_number", 'http : { threads = "many"; };', 2, "http.threads", ["number"]),
    ("fraction_for_a_number", "http : { threads = 1.5; };", 2, "http.threads", []),
    ("number_too_small", "http : { max_connections = 0; };", 2, "http.max_connections", []),
    ("number_negative", "http : { threads = -1; };", 2, "http.threads", ["0"]),
    ("number_on_the_next_line", "http : { threads =\n 4294967298; };", 2, "http.threads", ["4294967298"]),
    ("number_beyond_32_bits", "http : { max_connections = 4294967297L; };", 2, "http.max_connections", []),
    ("duration_without_unit", 'admission : { settle = "2"; };', 2, "admission.settle", ["unit", "30s"]),
    ("duration_as_number", "admission : { settle = 2; };", 2, "admission.settle", ["30s"]),
    ("duration_of_nonsense", 'admission : { leave_delay = "soon"; };', 2, "admission.leave_delay", []),
    ("duration_negative", 'admission : { leave_delay = "-1s"; };', 2, "admission.leave_delay", []),
    ("number_on_the_next_line", "http : { threads =\n 4294967298; };", 2, "http.threads", ["4294967298"]),
    ("number_beyond_32_bits", "http : { threads = 4294967298; };", 2, "http.threads", ["4294967298"]),
    ("hex_beyond_32_bits", "http : { threads = 0x100000002; };", 2, "http.threads", ["0x100000002"]),
    ("duration_overflowing", 'admission : { gone_delay = "99999999999999999999s"; };', 2, "admission.gone_delay", []),
    ("duration_out_of_range", 'consul : { wait = "11m"; };', 2, "consul.wait", ["10m"]),
    ("unknown_word", 'register : { mode = "per_cluster"; };', 2, "register.mode",
     ["per-cluster", "single", "off"]),
    ("unknown_accept", 'consul : { accept = "critical"; };', 2, "consul.accept", ["passing", "warning"]),
    ("unknown_consistency", 'consul : { consistency = "strong"; };', 2, "consul.consistency",
     ["default", "stale", "consistent"]),
    ("listen_without_port", 'listen = "127.0.0.1";', 2, "listen", ["port"]),
    ("listen_port_too_big", 'listen = "127.0.0.1:70000";', 2, "listen", []),
    ("listen_on_a_name", 'listen = "localhost:8080";', 2, "listen", []),
    ("one_bad_listen_of_two", 'listen = [ "127.0.0.1:8080", "300.0.0.1:80" ];', 2, "listen", ["300.0.0.1:80"]),
    ("listen_nowhere", "listen = [ ];", 2, "listen", []),
    ("admin_listen_without_port", 'admin : { listen = "127.0.0.1"; };', 2, "admin.listen", []),
    ("consul_address_scheme", 'consul : { address = "ftp://127.0.0.1"; };', 2, "consul.address", ["http"]),
    ("advertise_unspecified", 'register : { advertise = "0.0.0.0"; };', 2, "register.advertise", ["0.0.0.0"]),
    ("advertise_unspecified_v6", 'register : { advertise = "::"; };', 2, "register.advertise", []),
    ("advertise_bad_port", 'register : { advertise = "10.0.0.5:0"; };', 2, "register.advertise", []),
    ("default_cluster_bad_id", 'default_cluster = "a/b";', 2, "default_cluster", []),
    ("state_folder_missing", 'state : { dir = "/nonexistent/folder"; };', 2, "state.dir", ["/nonexistent/folder"]),
    ("token_file_missing", 'consul : { token_file = "/nonexistent/token"; };', 2, "consul.token_file",
     ["/nonexistent/token"]),
    ("token_file_unreadable", 'consul : { token_file = "/"; };', 2, "consul.token_file", []),
    ("ca_file_missing", 'consul : { tls : { ca_file = "/nonexistent/ca.pem"; }; };', 2, "consul.tls.ca_file",
     ["/nonexistent/ca.pem"]),
]

STATIC = 'static_clusters = ( { id = "%s"; addresses = [ %s ]; } );'
BAD_STATIC = [
    ("bad_id", STATIC % ("a b", '"10.0.0.1:9876"'), ["a b"]),
    ("empty_id", STATIC % ("", '"10.0.0.1:9876"'), []),
    ("host_name", STATIC % ("a", '"ns1.example.com:9876"'), ["ns1.example.com:9876"]),
    ("without_port", STATIC % ("a", '"10.0.0.1"'), ["10.0.0.1"]),
    ("port_zero", STATIC % ("a", '"10.0.0.1:0"'), []),
    ("unspecified", STATIC % ("a", '"0.0.0.0:9876"'), []),
    ("v6_without_brackets", STATIC % ("a", '"2001:db8::1:9876"'), []),
    ("no_addresses", STATIC % ("a", ""), ["a"]),
    ("addresses_missing", 'static_clusters = ( { id = "a"; } );', ["addresses"]),
    ("id_missing", 'static_clusters = ( { addresses = [ "10.0.0.1:9876" ]; } );', ["id"]),
    ("unknown_key", 'static_clusters = ( { id = "a"; address = [ "10.0.0.1:9876" ]; } );', ["address"]),
    ("not_a_group", 'static_clusters = ( "a" );', []),
    ("duplicate_id", 'static_clusters = ( { id = "a"; addresses = [ "10.0.0.1:1" ]; },\n'
                     '  { id = "a"; addresses = [ "10.0.0.2:1" ]; } );', ["a"]),
]


@pytest.mark.parametrize("text, number, key, words", [case[1:] for case in BAD_FILES],
                         ids=[case[0] for case in BAD_FILES])
def test_bad_setting_is_refused_by_place_and_key(command, tmp_path, text, number, key, words):
    result = command(config=f"# comment\n{text}\n")
    line = only_line(result)
    assert line.startswith(f"nsaddrd: {tmp_path}/nsaddrd.conf:{number}: {key}: ")
    assert not [word for word in words if word not in line.removeprefix(f"nsaddrd: {tmp_path}/")], line
    assert result.returncode == EX_CONFIG


@pytest.mark.parametrize("text, words", [case[1:] for case in BAD_STATIC], ids=[case[0] for case in BAD_STATIC])
def test_bad_static_cluster_is_refused(command, tmp_path, text, words):
    result = command("-t", config=text)
    line = only_line(result)
    assert re.match(rf"nsaddrd: {tmp_path}/nsaddrd.conf:[12]: static_clusters[^:]*: .", line)
    assert not [word for word in words if word not in line], line
    assert result.returncode == EX_CONFIG


@pytest.mark.parametrize("text, number", [
    ("listen = ;", 1),
    ('listen = "127.0.0.1:8080";\nconsul : { enabled = true;\n', 3),
    ('listen = "127.0.0.1:8080";\nlisten = "127.0.0.1:8081";', 2),
    ('listen "127.0.0.1:8080";', 1),
], ids=["no_value", "open_group", "given_twice", "no_equals_sign"])
def test_syntax_error_is_refused_with_its_line(command, tmp_path, text, number):
    result = command(config=text)
    assert only_line(result).startswith(f"nsaddrd: {tmp_path}/nsaddrd.conf:{number}: ")
    assert result.returncode == EX_CONFIG


def test_check_refuses_what_a_start_refuses(command, tmp_path):
    result = command("-t", config="http : { threads = -1; };")
    assert only_line(result).startswith(f"nsaddrd: {tmp_path}/nsaddrd.conf:1: http.threads: ")
    assert result.returncode == EX_CONFIG


@pytest.mark.parametrize("path", ["/nonexistent.conf", "/"], ids=["missing", "unreadable"])
def test_config_file_that_cannot_be_read_is_refused(command, path):
    result = command("-c", path)
    assert only_line(result).startswith(f"nsaddrd: {path}: ")
    assert result.returncode == EX_CONFIG


@pytest.mark.parametrize("setting", ["cert_file", "key_file"])
def test_certificate_and_key_go_together(command, ca, tmp_path, setting):
    pair = ca.issue("config-pair")
    path = pair.cert if setting == "cert_file" else pair.key
    result = command(config=f'consul : {{ tls : {{ {setting} = "{path}"; }}; }};')
    line = only_line(result)
    assert line.startswith(f"nsaddrd: {tmp_path}/nsaddrd.conf:1: consul.tls.{setting}: ")
    assert ("key_file" if setting == "cert_file" else "cert_file") in line
    assert result.returncode == EX_CONFIG


@pytest.mark.parametrize("override, key", [
    ("http.threads=lots", "http.threads"),
    ("consul.wait=55", "consul.wait"),
    ("no.such=1", "no.such"),
    ("listen", "listen"),
    ("static_clusters=a=ns1:9876", "static_clusters"),
])
def test_bad_override_names_its_key(command, override, key):
    result = command("-o", override, "-t", config="")
    assert only_line(result).startswith(f"nsaddrd: -o {key}: ")
    assert result.returncode == EX_CONFIG


@pytest.mark.parametrize("name, value", [
    ("NSADDRD_HTTP_THREADS", "lots"),
    ("NSADDRD_ADMISSION_LEAVE_DELAY", "30"),
    ("NSADDRD_CONSUL_TLS_VERIFY", "perhaps"),
    ("NSADDRD_LISTEN", "8080"),
    ("CONSUL_HTTP_SSL_VERIFY", "perhaps"),
    ("CONSUL_HTTP_SSL", "perhaps"),
    ("CONSUL_HTTP_ADDR", "ftp://127.0.0.1:8500"),
    ("CONSUL_HTTP_TOKEN_FILE", "/nonexistent/token"),
    ("CONSUL_CACERT", "/nonexistent/ca.pem"),
])
def test_bad_environment_names_its_variable(command, name, value):
    result = command("-t", config="", env={name: value})
    assert only_line(result).startswith(f"nsaddrd: {name}: ")
    assert result.returncode == EX_CONFIG


def test_client_certificate_without_key_in_the_environment_is_refused(command, ca):
    result = command("-t", config="", env={"CONSUL_CLIENT_CERT": str(ca.issue("environment").cert)})
    assert only_line(result).startswith("nsaddrd: CONSUL_CLIENT_CERT: ")
    assert result.returncode == EX_CONFIG


@pytest.mark.parametrize("arguments", [["--no-such-flag"], ["-x"], ["-c"], ["-o"], ["stray"]],
                         ids=lambda arguments: " ".join(arguments))
def test_wrong_usage_is_exit_64(command, arguments):
    result = command(*arguments)
    assert result.returncode == 64
    assert result.stderr.startswith("nsaddrd: ")
    assert result.stdout == ""


def only_error(result):
    """The one line that is an error; lines of the log about the start may stand before it."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("nsaddrd: ") or "level=error" in line]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.mark.parametrize("key", ["listen", "admin.listen"])
def test_port_in_use_is_a_failure_that_names_it(command, key):
    config = {"listen": free_port(), "admin.listen": free_port()}
    with socket.create_server(("127.0.0.1", config[key])):
        result = command("-o", "consul.enabled=false", "-o", "register.mode=off",
                         *(f"-o{name}=127.0.0.1:{port}" for name, port in config.items()), config="")
    line = only_error(result)
    assert f"127.0.0.1:{config[key]}" in line
    assert "in use" in line.lower()
    assert result.returncode == 1


def test_address_of_another_host_is_a_failure_that_names_it(command):
    result = command("-o", "consul.enabled=false", "-o", "admin.listen=", "-o", "listen=192.0.2.1:8080", config="")
    assert "192.0.2.1:8080" in only_error(result)
    assert result.returncode == 1


def test_state_folder_without_write_permission_is_refused(command, tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    file.chmod(stat.S_IRUSR)
    result = command(config=f'state : {{ dir = "{file}"; }};')
    assert only_line(result).startswith(f"nsaddrd: {tmp_path}/nsaddrd.conf:1: state.dir: ")
    assert result.returncode == EX_CONFIG


def test_digits_in_strings_and_comments_are_no_numbers(command):
    result = command("-t", config='consul : { token = "8a7f3b21-aaaa-4bbb-8ccc-123456789012"; max_watches = 50; }; '
                                  "# since 202401011200\n")
    assert (result.returncode, result.stderr) == (0, "")
