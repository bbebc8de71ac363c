/*
 * client.h - what the hurting clients share. Each is one thread that ends the program when it cannot
 * go on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000
#define NS_PER_S 1000000000

/* Addresses of one network of sources: 127.0.<network>.1 and on. */
#define SOURCES_PER_NETWORK 250u

static inline void fail(const char *what)
{
    perror(what);
    exit(1);
}

static inline int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static inline long number(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 0) {
        (void)fprintf(stderr, "not a number: %s\n", text);
        exit(64);
    }
    return value;
}

static inline void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("setrlimit");
}

/* A socket whose connection to 127.0.0.1:port has begun, or -1 with errno. The source is the nth
 * address of the networks from `network` on; its port is found at the connect, so that each source
 * has all of them. buffer: of each direction, in bytes; 0 is the kernel's choice. */
static inline int begin_connection(in_port_t port, unsigned network, unsigned nth, int buffer)
{
    int on = 1;
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + ((network + nth / SOURCES_PER_NETWORK) << 8) +
                                 nth % SOURCES_PER_NETWORK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) == 0 &&
        (buffer == 0 || (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer) == 0 &&
                         setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) == 0)) &&
        bind(fd, (const struct sockaddr *)&from, sizeof from) == 0 &&
        (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS))
        return fd;
    int code = errno;
    (void)close(fd);
    errno = code;
    return -1;
}

static inline int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Sorts. 0 when there is none. */
static inline double percentile_ms(int64_t *times, size_t count, double share)
{
    if (count == 0)
        return 0;
    qsort(times, count, sizeof *times, compare_times);
    size_t at = (size_t)((double)count * share);
    return (double)times[at < count ? at : count - 1] / NS_PER_MS;
}

/* Is this one whole answer: 200, and the list as its body? */
static inline bool is_right(const char *answer, size_t len, const char *list)
{
    static const char good[] = "HTTP/1.1 200 ";
    size_t list_len = strlen(list);
    return len > sizeof good - 1 + list_len && memcmp(answer, good, sizeof good - 1) == 0 &&
           memcmp(answer + len - list_len, list, list_len) == 0 &&
           memcmp(answer + len - list_len - 4, "\r\n\r\n", 4) == 0;
}

#endif
