/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/service_manager.h"
#include "temp.h"

#define FIRST_FD 3
/* Sockets are made above it, so that none is where the handed ones go. */
#define WORKSHOP_FD 40

static struct temp temp;
static int handed;   /* from FIRST_FD on */
static int listener; /* the service manager's end of NOTIFY_SOCKET, or -1 */
static struct service_manager m;

static int setup(void **state)
{
    static const char *const names[] = {"LISTEN_PID",    "LISTEN_FDS",    "LISTEN_FDNAMES",
                                        "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)unsetenv(names[i]);
    temp_make(&temp);
    handed = 0;
    listener = -1;
    m = (struct service_manager){.fd = -1};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < handed; i++)
        (void)close(FIRST_FD + i);
    if (listener >= 0)
        (void)close(listener);
    service_manager_close(&m);
    temp_remove(&temp);
    return 0;
}

/* -- sockets --------------------------------------------------------------------------------- */

static int new_socket(int family, int type)
{
    int low = socket(family, type, 0);
    int fd = fcntl(low, F_DUPFD, WORKSHOP_FD);
    (void)close(low);
    assert_true(fd >= WORKSHOP_FD);
    return fd;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    assert_true(len < sizeof address.sun_path);
    memcpy(address.sun_path, path, len);
    return address;
}

static void hand_over(int fd)
{
    int place = FIRST_FD + handed++;
    assert_int_equal(dup2(fd, place), place);
    (void)close(fd);
}

/* On a free port of the loopback; returns it. */
static unsigned hand_over_listening(int family)
{
    int fd = new_socket(family, SOCK_STREAM);
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const void *address = family == AF_INET ? (const void *)&v4 : (const void *)&v6;
    socklen_t len = family == AF_INET ? sizeof v4 : sizeof v6;
    assert_int_equal(bind(fd, address, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    len = sizeof v6;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&v6, &len), 0);
    hand_over(fd);
    return ntohs(v6.sin6_port); /* at the same place in both */
}

static void set_listen(const char *pid, const char *fds, const char *names)
{
    char own[32];
    (void)snprintf(own, sizeof own, "%d", (int)getpid());
    (void)setenv("LISTEN_PID", pid != NULL ? pid : own, 1);
    (void)setenv("LISTEN_FDS", fds, 1);
    if (names != NULL)
        (void)setenv("LISTEN_FDNAMES", names, 1);
}

static void assert_listen_variables_are_gone(void)
{
    assert_null(getenv("LISTEN_PID"));
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_FDNAMES"));
}

static void assert_refused(const char *says)
{
    struct inherited_sockets all;
    struct error error = {.text = ""};
    assert_false(service_manager_listen_fds(&all, &error));
    assert_says(&error, says);
    assert_says(&error, "right is");
    assert_listen_variables_are_gone();
}

TEST(test_service_manager__inherits_nothing_without_the_variables)
{
    struct inherited_sockets all = {.count = 7};
    struct error error;
    assert_true(service_manager_listen_fds(&all, &error));
    assert_int_equal(all.count, 0);
}

TEST(test_service_manager__inherits_listening_sockets_with_their_names)
{
    struct inherited_sockets all;
    struct error error;
    char v4[64];
    char v6[64];
    (void)snprintf(v4, sizeof v4, "127.0.0.1:%u", hand_over_listening(AF_INET));
    (void)snprintf(v6, sizeof v6, "[::1]:%u", hand_over_listening(AF_INET6));
    set_listen(NULL, "2", "web:admin");
    assert_true(service_manager_listen_fds(&all, &error));
    assert_int_equal(all.count, 2);
    assert_int_equal(all.items[0].fd, FIRST_FD);
    assert_string_equal(all.items[0].name, "web");
    assert_string_equal(all.items[0].address, v4);
    assert_int_equal(all.items[1].fd, FIRST_FD + 1);
    assert_string_equal(all.items[1].name, "admin");
    assert_string_equal(all.items[1].address, v6);
    for (int fd = FIRST_FD; fd < FIRST_FD + 2; fd++) {
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    }
    assert_listen_variables_are_gone();
}

TEST(test_service_manager__inherits_sockets_without_names)
{
    struct inherited_sockets all;
    struct error error;
    (void)hand_over_listening(AF_INET);
    set_listen(NULL, "1", NULL);
    assert_true(service_manager_listen_fds(&all, &error));
    assert_int_equal(all.count, 1);
    assert_string_equal(all.items[0].name, "");
}

TEST(test_service_manager__a_name_that_is_cut_is_not_a_shorter_one)
{
    struct inherited_sockets all;
    struct error error;
    char name[101];
    memset(name, 'n', 100);
    name[100] = '\0';
    (void)hand_over_listening(AF_INET);
    set_listen(NULL, "1", name);
    assert_true(service_manager_listen_fds(&all, &error));
    assert_int_equal(strlen(all.items[0].name), sizeof all.items[0].name - 1);
}

TEST(test_service_manager__leaves_sockets_of_another_process_alone)
{
    static const char *const others[] = {"1", "", "x", "-1", "99999999999999999999"};
    struct inherited_sockets all;
    struct error error;
    (void)hand_over_listening(AF_INET);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        set_listen(others[i], "1", NULL);
        assert_true(service_manager_listen_fds(&all, &error));
        assert_int_equal(all.count, 0);
        assert_int_equal(fcntl(FIRST_FD, F_GETFD), 0);
        assert_listen_variables_are_gone();
    }
}

TEST(test_service_manager__inherits_none_when_there_are_none)
{
    struct inherited_sockets all;
    struct error error;
    set_listen(NULL, "0", "");
    assert_true(service_manager_listen_fds(&all, &error));
    assert_int_equal(all.count, 0);
}

TEST(test_service_manager__refuses_a_number_of_sockets_that_is_none)
{
    static const char *const bad[] = {"",   "one", "-1", "+1",
                                      " 1", "1 ",  "65", "99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        set_listen(NULL, bad[i], NULL);
        assert_refused("LISTEN_FDS=");
    }
}

TEST(test_service_manager__refuses_names_that_are_not_one_each)
{
    (void)hand_over_listening(AF_INET);
    (void)hand_over_listening(AF_INET);
    set_listen(NULL, "2", "one");
    assert_refused("LISTEN_FDNAMES has 1 names");
    set_listen(NULL, "2", "one:two:three");
    assert_refused("LISTEN_FDNAMES has 3 names");
}

TEST(test_service_manager__refuses_a_datagram_socket)
{
    (void)hand_over_listening(AF_INET);
    hand_over(new_socket(AF_INET, SOCK_DGRAM));
    set_listen(NULL, "2", "web:udp");
    assert_refused("descriptor 4 \"udp\" is a datagram socket");
}

TEST(test_service_manager__refuses_a_unix_socket)
{
    struct sockaddr_un address = address_of(temp_path(&temp, "socket"));
    int fd = new_socket(AF_UNIX, SOCK_STREAM);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    hand_over(fd);
    set_listen(NULL, "1", NULL);
    assert_refused("a unix socket");
}

TEST(test_service_manager__refuses_a_socket_of_a_family_that_is_not_ip)
{
    hand_over(new_socket(AF_NETLINK, SOCK_DGRAM));
    set_listen(NULL, "1", NULL);
    assert_refused("of another family");
}

TEST(test_service_manager__refuses_a_stream_that_does_not_listen)
{
    hand_over(new_socket(AF_INET, SOCK_STREAM));
    set_listen(NULL, "1", NULL);
    assert_refused("does not listen");
}

TEST(test_service_manager__refuses_what_is_no_socket)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    int high = fcntl(pipes[0], F_DUPFD, WORKSHOP_FD);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    hand_over(high);
    set_listen(NULL, "1", NULL);
    assert_refused("not a socket");
}

TEST(test_service_manager__refuses_a_descriptor_that_is_not_open)
{
    (void)hand_over_listening(AF_INET);
    (void)close(FIRST_FD);
    set_listen(NULL, "1", NULL);
    assert_refused("not open");
}

/* -- news ------------------------------------------------------------------------------------ */

static void bind_listener(const struct sockaddr_un *address, size_t len)
{
    listener = new_socket(AF_UNIX, SOCK_DGRAM);
    assert_int_equal(bind(listener, (const struct sockaddr *)address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
}

/* At `path`, and NOTIFY_SOCKET says so. */
static void listen_at(const char *path)
{
    struct sockaddr_un address = address_of(path);
    (void)setenv("NOTIFY_SOCKET", path, 1);
    bind_listener(&address, strlen(path) + 1);
}

static void open_manager(const char *watchdog_usec)
{
    struct error error;
    listen_at(temp_path(&temp, "notify"));
    if (watchdog_usec != NULL)
        (void)setenv("WATCHDOG_USEC", watchdog_usec, 1);
    assert_true(service_manager_open(&m, &error));
    assert_true(service_manager_listens(&m));
}

static void tell(const struct service_state *s, int64_t now_ms)
{
    struct error error;
    assert_true(service_manager_tell(&m, s, now_ms, &error));
}

/* The next datagram is this. */
static void assert_told(const char *expected)
{
    char text[1024];
    ssize_t n = recv(listener, text, sizeof text - 1, MSG_DONTWAIT);
    assert_true(n >= 0);
    text[n] = '\0';
    assert_string_equal(text, expected);
}

static void assert_silent(void)
{
    char text[16];
    assert_int_equal(recv(listener, text, sizeof text, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static const struct service_state starting = {
    .phase = SERVICE_STARTING, .alive = true, .status = "waiting"};
static const struct service_state ready = {.phase = SERVICE_READY, .alive = true, .status = "good"};
static const struct service_state stopping = {
    .phase = SERVICE_STOPPING, .alive = true, .status = "leaving"};

TEST(test_service_manager__tells_nobody_without_the_variable)
{
    struct error error;
    (void)setenv("WATCHDOG_USEC", "1000000", 1);
    assert_true(service_manager_open(&m, &error));
    assert_false(service_manager_listens(&m));
    assert_true(service_manager_next_ms(&m) == CLOCK_NEVER);
    assert_null(getenv("WATCHDOG_USEC"));
}

TEST(test_service_manager__tells_a_path)
{
    open_manager(NULL);
    tell(&ready, 1000);
    assert_told("READY=1\nSTATUS=good\n");
    assert_silent();
    assert_null(getenv("NOTIFY_SOCKET"));
}

TEST(test_service_manager__tells_an_abstract_name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    struct error error;
    int n = snprintf(name, sizeof name, "@nsaddrd-unit-%d", (int)getpid());
    (void)setenv("NOTIFY_SOCKET", name, 1);
    memcpy(address.sun_path + 1, name + 1, (size_t)n - 1);
    bind_listener(&address, (size_t)n);
    assert_true(service_manager_open(&m, &error));
    tell(&ready, 1000);
    assert_told("READY=1\nSTATUS=good\n");
}

TEST(test_service_manager__tells_a_path_that_fills_the_address)
{
    struct error error;
    char path[sizeof m.address.sun_path];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    const char *folder = temp_path(&temp, "");
    memcpy(path, folder, strlen(folder));
    listen_at(path);
    assert_true(service_manager_open(&m, &error));
    tell(&ready, 1000);
    assert_told("READY=1\nSTATUS=good\n");
}

TEST(test_service_manager__a_name_without_sense_turns_it_off)
{
    char longer[sizeof m.address.sun_path + 1];
    memset(longer, '/', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    const char *const bad[] = {"", "/", "@", "notify", "vsock:2:1234", longer};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct error error = {.text = ""};
        (void)setenv("NOTIFY_SOCKET", bad[i], 1);
        assert_false(service_manager_open(&m, &error));
        assert_says(&error, "NOTIFY_SOCKET=");
        assert_says(&error, "right is");
        assert_false(service_manager_listens(&m));
        assert_null(getenv("NOTIFY_SOCKET"));
    }
}

TEST(test_service_manager__asks_for_time_until_it_is_ready)
{
    open_manager(NULL);
    tell(&starting, 5000);
    assert_told("STATUS=waiting\nEXTEND_TIMEOUT_USEC=30000000\n");
    tell(&starting, 14999);
    assert_silent();
    tell(&starting, 15000);
    assert_told("EXTEND_TIMEOUT_USEC=30000000\n");
    tell(&ready, 15001);
    assert_told("READY=1\nSTATUS=good\n");
    tell(&ready, 100000);
    assert_silent();
}

TEST(test_service_manager__what_hangs_gets_no_more_time)
{
    struct service_state hanging = starting;
    hanging.alive = false;
    open_manager(NULL);
    tell(&hanging, 1000);
    assert_told("STATUS=waiting\n");
    tell(&hanging, 100000);
    assert_silent();
}

TEST(test_service_manager__a_status_is_told_once_a_second_at_most)
{
    struct service_state s = ready;
    open_manager(NULL);
    tell(&s, 1000);
    assert_told("READY=1\nSTATUS=good\n");
    s.status = "one";
    tell(&s, 1999);
    assert_silent();
    assert_int_equal(service_manager_next_ms(&m), 2999);
    s.status = "two";
    tell(&s, 2000);
    assert_told("STATUS=two\n");
    tell(&s, 9000);
    assert_silent();
    s.status = "three";
    tell(&s, 9001);
    assert_told("STATUS=three\n");
}

TEST(test_service_manager__the_status_of_a_new_phase_is_told_at_once)
{
    open_manager(NULL);
    tell(&starting, 1000);
    assert_told("STATUS=waiting\nEXTEND_TIMEOUT_USEC=30000000\n");
    tell(&ready, 1001);
    assert_told("READY=1\nSTATUS=good\n");
    tell(&stopping, 1002);
    assert_told("STOPPING=1\nSTATUS=leaving\nEXTEND_TIMEOUT_USEC=30000000\n");
}

TEST(test_service_manager__a_long_status_is_cut_and_not_repeated)
{
    struct service_state s = ready;
    char status[2 * SERVICE_STATUS_SIZE];
    char expected[2 * SERVICE_STATUS_SIZE];
    memset(status, 's', sizeof status - 1);
    status[sizeof status - 1] = '\0';
    s.status = status;
    (void)snprintf(expected, sizeof expected, "READY=1\nSTATUS=%.*s\n", SERVICE_STATUS_SIZE - 1,
                   status);
    open_manager(NULL);
    tell(&s, 1000);
    assert_told(expected);
    tell(&s, 9000);
    assert_silent();
}

TEST(test_service_manager__asks_for_time_while_it_stops)
{
    open_manager(NULL);
    tell(&stopping, 1000);
    assert_told("STOPPING=1\nSTATUS=leaving\nEXTEND_TIMEOUT_USEC=30000000\n");
    tell(&stopping, 11000);
    assert_told("EXTEND_TIMEOUT_USEC=30000000\n");
}

static int64_t mono_usec(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void assert_told_reloading(int64_t since_usec)
{
    static const char start[] = "RELOADING=1\nMONOTONIC_USEC=";
    char text[256];
    char *end;
    ssize_t n = recv(listener, text, sizeof text - 1, MSG_DONTWAIT);
    assert_true(n > 0);
    text[n] = '\0';
    assert_int_equal(strncmp(text, start, sizeof start - 1), 0);
    int64_t usec = strtoll(text + sizeof start - 1, &end, 10);
    assert_string_equal(end, "\n");
    assert_true(usec >= since_usec);
    assert_true(usec <= mono_usec());
}

TEST(test_service_manager__a_reload_begins_and_ends)
{
    struct service_state s = ready;
    open_manager(NULL);
    tell(&s, 1000);
    assert_told("READY=1\nSTATUS=good\n");
    int64_t before = mono_usec();
    s.reloads_asked = 1;
    tell(&s, 1001);
    assert_told_reloading(before);
    tell(&s, 1002);
    assert_silent();
    s.reloads_done = 1;
    tell(&s, 1003);
    assert_told("READY=1\n");
    tell(&s, 1004);
    assert_silent();
}

TEST(test_service_manager__a_reload_that_is_done_already_is_told_whole)
{
    struct service_state s = ready;
    open_manager(NULL);
    tell(&s, 1000);
    assert_told("READY=1\nSTATUS=good\n");
    s.reloads_asked = s.reloads_done = 1;
    tell(&s, 1001);
    assert_told_reloading(0);
    assert_told("READY=1\n");
    assert_silent();
}

TEST(test_service_manager__each_reload_is_told_and_the_last_ends_them)
{
    struct service_state s = ready;
    open_manager(NULL);
    tell(&s, 1000);
    assert_told("READY=1\nSTATUS=good\n");
    s.reloads_asked = 1;
    tell(&s, 1001);
    assert_told_reloading(0);
    s.reloads_asked = 2;
    s.reloads_done = 1;
    tell(&s, 1002);
    assert_told_reloading(0);
    assert_silent();
    s.reloads_done = 2;
    tell(&s, 1003);
    assert_told("READY=1\n");
}

/* READY=1 after it would end the start. */
TEST(test_service_manager__a_reload_before_it_is_ready_is_not_told)
{
    struct service_state s = starting;
    open_manager(NULL);
    s.reloads_asked = s.reloads_done = 1;
    tell(&s, 1000);
    assert_told("STATUS=waiting\nEXTEND_TIMEOUT_USEC=30000000\n");
    s.phase = SERVICE_READY;
    tell(&s, 1001);
    assert_told("READY=1\n");
    assert_silent();
}

TEST(test_service_manager__a_reload_while_it_stops_is_not_told)
{
    struct service_state s = stopping;
    open_manager(NULL);
    tell(&s, 1000);
    assert_told("STOPPING=1\nSTATUS=leaving\nEXTEND_TIMEOUT_USEC=30000000\n");
    s.reloads_asked = 1;
    tell(&s, 1001);
    s.reloads_done = 1;
    tell(&s, 1002);
    assert_silent();
}

TEST(test_service_manager__beats_twice_within_the_time_of_the_watchdog)
{
    open_manager("6000000");
    tell(&ready, 1000);
    assert_told("READY=1\nSTATUS=good\nWATCHDOG=1\n");
    assert_int_equal(service_manager_next_ms(&m), 2000); /* a status may be due */
    tell(&ready, 3999);
    assert_silent();
    assert_int_equal(service_manager_next_ms(&m), 4000);
    tell(&ready, 4000);
    assert_told("WATCHDOG=1\n");
    assert_int_equal(service_manager_patience_ms(&m), 6000);
}

TEST(test_service_manager__what_hangs_does_not_beat)
{
    struct service_state s = ready;
    open_manager("6000000");
    s.alive = false;
    tell(&s, 1000);
    assert_told("READY=1\nSTATUS=good\n");
    tell(&s, 100000);
    assert_silent();
    assert_true(service_manager_next_ms(&m) > 100000);
    s.alive = true;
    tell(&s, 100001);
    assert_told("WATCHDOG=1\n");
}

TEST(test_service_manager__beats_while_it_starts_and_stops)
{
    open_manager("6000000");
    tell(&starting, 1000);
    assert_told("STATUS=waiting\nEXTEND_TIMEOUT_USEC=30000000\nWATCHDOG=1\n");
    tell(&stopping, 4000);
    assert_told("STOPPING=1\nSTATUS=leaving\nEXTEND_TIMEOUT_USEC=30000000\nWATCHDOG=1\n");
}

/* Loops turn once a second only. */
TEST(test_service_manager__a_short_watchdog_does_not_shorten_the_patience)
{
    open_manager("1");
    assert_int_equal(service_manager_patience_ms(&m), 2000);
    tell(&ready, 1000);
    assert_told("READY=1\nSTATUS=good\nWATCHDOG=1\n");
    assert_int_equal(service_manager_next_ms(&m), 1001);
}

TEST(test_service_manager__a_watchdog_of_another_process_is_not_ours)
{
    (void)setenv("WATCHDOG_PID", "1", 1);
    open_manager("6000000");
    tell(&ready, 1000);
    assert_told("READY=1\nSTATUS=good\n");
    assert_null(getenv("WATCHDOG_PID"));
}

TEST(test_service_manager__a_watchdog_without_sense_is_off_alone)
{
    static const char *const bad[] = {"", "0", "-1", "10s", "99999999999999999999"};
    listen_at(temp_path(&temp, "notify"));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct error error = {.text = ""};
        (void)setenv("NOTIFY_SOCKET", temp_path(&temp, "notify"), 1);
        (void)setenv("WATCHDOG_USEC", bad[i], 1);
        assert_false(service_manager_open(&m, &error));
        assert_says(&error, "WATCHDOG_USEC=");
        tell(&ready, 1000);
        assert_told("READY=1\nSTATUS=good\n");
        service_manager_close(&m);
    }
}

TEST(test_service_manager__what_could_not_be_sent_is_told_later)
{
    struct error error = {.text = ""};
    (void)setenv("NOTIFY_SOCKET", temp_path(&temp, "late"), 1);
    (void)setenv("WATCHDOG_USEC", "6000000", 1);
    assert_true(service_manager_open(&m, &error));
    assert_false(service_manager_tell(&m, &ready, 1000, &error));
    assert_says(&error, "NOTIFY_SOCKET: ");
    assert_int_equal(service_manager_next_ms(&m), 2000);
    listen_at(temp_path(&temp, "late"));
    tell(&ready, 2000);
    assert_told("READY=1\nSTATUS=good\nWATCHDOG=1\n");
}

/* A manager that reads nothing must not make us wait. */
TEST(test_service_manager__a_full_socket_is_not_waited_for)
{
    char status[16];
    char last[32] = "";
    struct service_state s = ready;
    struct error error = {.text = ""};
    s.status = status;
    open_manager(NULL);
    int64_t now_ms = 0;
    bool ok = true;
    for (int i = 0; ok; i++) {
        (void)snprintf(status, sizeof status, "%d", i);
        now_ms += 1000;
        ok = service_manager_tell(&m, &s, now_ms, &error);
    }
    assert_says(&error, "NOTIFY_SOCKET: ");
    while (recv(listener, last, sizeof last, MSG_DONTWAIT) > 0)
        continue;
    tell(&s, now_ms + 1000);
    (void)snprintf(last, sizeof last, "STATUS=%s\n", status);
    assert_told(last);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_service_manager__inherits_nothing_without_the_variables),
        T(test_service_manager__inherits_listening_sockets_with_their_names),
        T(test_service_manager__inherits_sockets_without_names),
        T(test_service_manager__a_name_that_is_cut_is_not_a_shorter_one),
        T(test_service_manager__leaves_sockets_of_another_process_alone),
        T(test_service_manager__inherits_none_when_there_are_none),
        T(test_service_manager__refuses_a_number_of_sockets_that_is_none),
        T(test_service_manager__refuses_names_that_are_not_one_each),
        T(test_service_manager__refuses_a_datagram_socket),
        T(test_service_manager__refuses_a_unix_socket),
        T(test_service_manager__refuses_a_socket_of_a_family_that_is_not_ip),
        T(test_service_manager__refuses_a_stream_that_does_not_listen),
        T(test_service_manager__refuses_what_is_no_socket),
        T(test_service_manager__refuses_a_descriptor_that_is_not_open),
        T(test_service_manager__tells_nobody_without_the_variable),
        T(test_service_manager__tells_a_path),
        T(test_service_manager__tells_an_abstract_name),
        T(test_service_manager__tells_a_path_that_fills_the_address),
        T(test_service_manager__a_name_without_sense_turns_it_off),
        T(test_service_manager__asks_for_time_until_it_is_ready),
        T(test_service_manager__what_hangs_gets_no_more_time),
        T(test_service_manager__a_status_is_told_once_a_second_at_most),
        T(test_service_manager__the_status_of_a_new_phase_is_told_at_once),
        T(test_service_manager__a_long_status_is_cut_and_not_repeated),
        T(test_service_manager__asks_for_time_while_it_stops),
        T(test_service_manager__a_reload_begins_and_ends),
        T(test_service_manager__a_reload_that_is_done_already_is_told_whole),
        T(test_service_manager__each_reload_is_told_and_the_last_ends_them),
        T(test_service_manager__a_reload_before_it_is_ready_is_not_told),
        T(test_service_manager__a_reload_while_it_stops_is_not_told),
        T(test_service_manager__beats_twice_within_the_time_of_the_watchdog),
        T(test_service_manager__what_hangs_does_not_beat),
        T(test_service_manager__beats_while_it_starts_and_stops),
        T(test_service_manager__a_short_watchdog_does_not_shorten_the_patience),
        T(test_service_manager__a_watchdog_of_another_process_is_not_ours),
        T(test_service_manager__a_watchdog_without_sense_is_off_alone),
        T(test_service_manager__what_could_not_be_sent_is_told_later),
        T(test_service_manager__a_full_socket_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
