/* SPDX-License-Identifier: Apache-2.0 */
/* The real httpc on its own thread; the test is the server, on this one. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config_of.h"
#include "consul/httpc.h"

#define CONNECTIONS_MAX 16
#define CALLS_MAX 16
#define PATIENCE_MS 20000

CURLMcode __real_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy);

static atomic_bool cannot_begin;

CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy)
{
    if (atomic_load(&cannot_begin))
        return CURLM_OUT_OF_MEMORY;
    return __real_curl_multi_add_handle(multi, easy);
}

static struct config *config;
static struct httpc *httpc;
static int listener;
static struct connection {
    int fd;
    char path[64]; /* of the request that is to be answered; "": none */
} connections[CONNECTIONS_MAX];
static size_t connection_count;

/* Calls "/0" to "/9" and what came of them. */
static struct call {
    struct httpc_call *call;
    char path[16];
    httpc_body *on_body;
    bool blocking;
    bool follow; /* its end sends the next one */
    char body[256];
    atomic_long status; /* -1: no end so far */
    char error[128];
} calls[CALLS_MAX];
static atomic_int ended; /* how many */

/* -- the server ------------------------------------------------------------------------------ */

static void listen_anywhere(char *address, size_t size)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    (void)snprintf(address, size, "consul.address=http://127.0.0.1:%d", ntohs(a.sin_port));
}

static void accept_one(void)
{
    assert_true(connection_count < CONNECTIONS_MAX);
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    connections[connection_count++] = (struct connection){.fd = fd};
}

/* A request is small enough to come at once. */
static bool read_request(struct connection *c)
{
    char text[4096];
    ssize_t n = recv(c->fd, text, sizeof text - 1, 0);
    if (n <= 0) {
        (void)close(c->fd);
        *c = connections[--connection_count];
        return false;
    }
    text[n] = '\0';
    assert_int_equal(sscanf(text, "GET %63s ", c->path), 1);
    return true;
}

/* The path of the next request that comes. */
static const char *next_request(void)
{
    for (;;) {
        struct pollfd polled[CONNECTIONS_MAX + 1] = {{.fd = listener, .events = POLLIN}};
        for (size_t i = 0; i < connection_count; i++)
            polled[i + 1] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
        if (poll(polled, connection_count + 1, PATIENCE_MS) <= 0)
            fail_msg("no request came");
        for (size_t i = connection_count; i > 0; i--)
            if (polled[i].revents != 0 && read_request(&connections[i - 1]))
                return connections[i - 1].path;
        if (polled[0].revents != 0)
            accept_one();
    }
}

static void assert_next(const char *path)
{
    assert_string_equal(next_request(), path);
}

/* Two, in either order: they come on two connections. */
static void assert_next_two(const char *one, const char *other)
{
    char first[64];
    (void)snprintf(first, sizeof first, "%s", next_request());
    bool swapped = strcmp(first, other) == 0;
    assert_string_equal(first, swapped ? other : one);
    assert_next(swapped ? one : other);
}

static void answer(const char *path, int status, const char *body)
{
    char text[1024];
    for (size_t i = 0; i < connection_count; i++) {
        struct connection *c = &connections[i];
        if (strcmp(c->path, path) != 0)
            continue;
        int n = snprintf(text, sizeof text,
                         "HTTP/1.1 %d Some\r\nX-Consul-Index: 7\r\nContent-Length: %zu\r\n\r\n%s",
                         status, strlen(body), body);
        c->path[0] = '\0';
        assert_int_equal(send(c->fd, text, (size_t)n, MSG_NOSIGNAL), n);
        return;
    }
    fail_msg("%s was not asked for", path);
}

/* -- calls ----------------------------------------------------------------------------------- */

static void send_call(void *arg);

static void on_done(void *arg, const struct httpc_reply *reply)
{
    struct call *c = arg;
    c->call = NULL;
    (void)snprintf(c->error, sizeof c->error, "%s", reply->error != NULL ? reply->error : "");
    if (c->on_body == NULL)
        (void)snprintf(c->body, sizeof c->body, "%s", reply->body);
    else if (reply->body_len > 0)
        (void)snprintf(c->body + strlen(c->body), sizeof c->body - strlen(c->body), "(%s)",
                       reply->body);
    if (c->follow)
        send_call(c + 1);
    atomic_store(&c->status, reply->status);
    atomic_fetch_add(&ended, 1);
}

static void send_call(void *arg)
{
    struct call *c = arg;
    struct httpc_request request = {.method = "GET",
                                    .path = c->path,
                                    .timeout_ms = PATIENCE_MS,
                                    .max_body = sizeof c->body,
                                    .blocking = c->blocking,
                                    .on_body = c->on_body};
    c->call = httpc_send(httpc, &request, on_done, c);
    assert_non_null(c->call);
}

static void cancel_call(void *arg)
{
    struct call *c = arg;
    httpc_cancel(httpc, c->call);
    c->call = NULL;
    atomic_fetch_add(&ended, 1);
}

static void post(void (*fn)(void *arg), void *arg)
{
    assert_true(httpc_post(httpc, fn, arg));
}

/* In one turn of the loop. */
static void send_first(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++)
        send_call(&calls[i]);
}

static void await_ended(int count)
{
    for (int waited = 0; atomic_load(&ended) < count; waited++) {
        assert_true(waited < PATIENCE_MS);
        (void)poll(NULL, 0, 1);
    }
}

static bool keep_body(void *arg, const char *bytes, size_t len)
{
    struct call *c = arg;
    size_t have = strlen(c->body);
    (void)snprintf(c->body + have, sizeof c->body - have, "%.*s", (int)len, bytes);
    return strchr(c->body, '!') == NULL;
}

static int setup(void **state)
{
    struct error error;
    char address[64];
    (void)state;
    connection_count = 0;
    atomic_store(&cannot_begin, false);
    atomic_store(&ended, 0);
    memset(calls, 0, sizeof calls);
    for (size_t i = 0; i < CALLS_MAX; i++) {
        (void)snprintf(calls[i].path, sizeof calls[i].path, "/%zu", i);
        atomic_store(&calls[i].status, -1);
    }
    listen_anywhere(address, sizeof address);
    config = config_of(address, NULL);
    httpc = httpc_new(config, &error);
    assert_non_null(httpc);
    assert_true(httpc_start(httpc, &error));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    httpc_free(httpc);
    config_free(config);
    for (size_t i = 0; i < connection_count; i++)
        (void)close(connections[i].fd);
    (void)close(listener);
    return 0;
}

/* -- whose turn it is ------------------------------------------------------------------------ */

TEST(test_httpc__short_calls_share_two_connections_and_go_in_order)
{
    int count = 6;
    calls[6].blocking = true;
    post(send_first, &count);
    assert_next_two("/0", "/1");
    post(send_call, &calls[6]); /* one that waits for news is kept by nobody */
    assert_next("/6");
    answer("/1", 200, "one");
    assert_next("/2");
    answer("/2", 200, "two");
    assert_next("/3");
    answer("/0", 200, "zero");
    assert_next("/4");
    answer("/4", 200, "four");
    assert_next("/5");
    answer("/5", 200, "five");
    answer("/3", 200, "three");
    answer("/6", 200, "six");
    await_ended(7);
    assert_int_equal(connection_count, 3);
    assert_string_equal(calls[3].body, "three");
}

TEST(test_httpc__what_the_end_of_a_call_sends_goes_behind_what_waits)
{
    int count = 4;
    calls[3].follow = true; /* sends "/4" */
    post(send_first, &count);
    assert_next_two("/0", "/1");
    answer("/0", 200, "");
    assert_next("/2");
    answer("/1", 200, "");
    assert_next("/3");
    post(send_call, &calls[5]);
    post(send_call, &calls[6]);
    post(cancel_call, &calls[7]); /* none: now the others are sent */
    await_ended(3);
    answer("/3", 200, "");
    assert_next("/5");
    answer("/5", 200, "");
    assert_next("/6");
    answer("/6", 200, "");
    assert_next("/4");
    answer("/4", 200, "");
    answer("/2", 200, "");
    await_ended(8);
}

TEST(test_httpc__a_call_that_waits_can_be_cancelled)
{
    int count = 5;
    post(send_first, &count);
    assert_next_two("/0", "/1");
    post(cancel_call, &calls[2]);
    post(cancel_call, &calls[4]);
    await_ended(2);
    answer("/0", 200, "");
    assert_next("/3");
    post(cancel_call, &calls[1]); /* under way: its place is free */
    post(send_call, &calls[5]);
    assert_next("/5");
    answer("/3", 200, "");
    answer("/5", 200, "");
    await_ended(6);
    assert_int_equal(atomic_load(&calls[2].status), -1);
}

TEST(test_httpc__a_call_that_cannot_begin_when_its_turn_comes_ends_in_its_callback)
{
    int count = 4;
    post(send_first, &count);
    assert_next_two("/0", "/1");
    atomic_store(&cannot_begin, true);
    answer("/0", 200, "");
    await_ended(3);
    assert_int_equal(atomic_load(&calls[2].status), 0);
    assert_string_equal(calls[2].error, "out of memory");
    assert_int_equal(atomic_load(&calls[3].status), 0);
    atomic_store(&cannot_begin, false);
    post(send_call, &calls[4]);
    assert_next("/4");
    answer("/4", 200, "");
    answer("/1", 200, "");
    await_ended(5);
}

TEST(test_httpc__ends_with_calls_that_wait)
{
    int count = 8;
    post(send_first, &count);
    assert_next_two("/0", "/1");
    httpc_stop(httpc);
    assert_int_equal(atomic_load(&ended), 0);
}

/* -- bodies ---------------------------------------------------------------------------------- */

TEST(test_httpc__a_body_is_taken_as_it_arrives)
{
    calls[0].on_body = keep_body;
    post(send_call, &calls[0]);
    assert_next("/0");
    answer("/0", 200, "[1,2,3]");
    await_ended(1);
    assert_int_equal(atomic_load(&calls[0].status), 200);
    assert_string_equal(calls[0].body, "[1,2,3]");
}

TEST(test_httpc__a_body_that_is_not_wanted_fails_the_call)
{
    calls[0].on_body = keep_body;
    post(send_call, &calls[0]);
    assert_next("/0");
    answer("/0", 200, "wrong!");
    await_ended(1);
    assert_int_equal(atomic_load(&calls[0].status), 0);
    assert_string_equal(calls[0].error, "the reply is not what Consul sends");
}

TEST(test_httpc__the_text_of_a_refusal_is_kept)
{
    calls[0].on_body = keep_body;
    post(send_call, &calls[0]);
    assert_next("/0");
    answer("/0", 429, "too many!");
    await_ended(1);
    assert_int_equal(atomic_load(&calls[0].status), 429);
    assert_string_equal(calls[0].body, "(too many!)");
}

TEST(test_httpc__a_body_larger_than_wanted_fails_the_call)
{
    char large[300];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    post(send_call, &calls[0]);
    assert_next("/0");
    answer("/0", 200, large);
    await_ended(1);
    assert_int_equal(atomic_load(&calls[0].status), 0);
    assert_string_equal(calls[0].error, "the reply is larger than any sane one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RUN(name) cmocka_unit_test_setup_teardown(test_httpc__##name, setup, teardown)
        RUN(short_calls_share_two_connections_and_go_in_order),
        RUN(what_the_end_of_a_call_sends_goes_behind_what_waits),
        RUN(a_call_that_waits_can_be_cancelled),
        RUN(a_call_that_cannot_begin_when_its_turn_comes_ends_in_its_callback),
        RUN(ends_with_calls_that_wait),
        RUN(a_body_is_taken_as_it_arrives),
        RUN(a_body_that_is_not_wanted_fails_the_call),
        RUN(the_text_of_a_refusal_is_kept),
        RUN(a_body_larger_than_wanted_fails_the_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
