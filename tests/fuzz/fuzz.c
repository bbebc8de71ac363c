/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

_Noreturn void fuzz_fail(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "\n%s:%d: (%s) does not hold: ", file, line, condition);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    abort();
}

void *fuzz_checked(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

/* -- the input ------------------------------------------------------------------------------- */

unsigned fuzz_byte(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static char *copy_text(const uint8_t *bytes, size_t len)
{
    char *copy = fuzz_checked(malloc(len + 1));
    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

char *fuzz_rest(struct input *in, size_t *len)
{
    char *copy = copy_text(in->at, in->left);
    *len = in->left;
    *in = (struct input){.at = in->at + in->left};
    return copy;
}

char *fuzz_line(struct input *in)
{
    const uint8_t *end = in->left > 0 ? memchr(in->at, '\n', in->left) : NULL;
    size_t len = end != NULL ? (size_t)(end - in->at) : in->left;
    size_t taken = end != NULL ? len + 1 : len;
    char *copy = copy_text(in->at, len);
    *in = (struct input){.at = in->at + taken, .left = in->left - taken};
    return copy;
}

struct input fuzz_part(struct input *in)
{
    const uint8_t *end = in->left > 0 ? memchr(in->at, FUZZ_PART_END, in->left) : NULL;
    struct input part = {.at = in->at, .left = end != NULL ? (size_t)(end - in->at) : in->left};
    size_t taken = part.left + (end != NULL);
    *in = (struct input){.at = in->at + taken, .left = in->left - taken};
    return part;
}

/* -- a folder -------------------------------------------------------------------------------- */

static char folder[PATH_MAX];

static void remove_folder(void)
{
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return;
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
        (void)unlinkat(dirfd(dir), e->d_name, 0); /* "." and ".." are no files */
    (void)closedir(dir);
    (void)rmdir(folder);
}

const char *fuzz_folder(void)
{
    if (folder[0] != '\0')
        return folder;
    const char *parent = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/nsaddrd-fuzz.XXXXXX",
                   parent != NULL ? parent : "/dev/shm");
    if (mkdtemp(folder) == NULL || atexit(remove_folder) != 0)
        abort();
    return folder;
}

void fuzz_write_file(const char *name, const void *bytes, size_t len)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || (len > 0 && write(fd, bytes, len) != (ssize_t)len) || close(fd) != 0)
        abort();
}

/* -- the log --------------------------------------------------------------------------------- */

unsigned fuzz_logged_errors;
static bool logging;

void __real_log_write(enum log_level level, const char *message, const struct log_field *fields,
                      size_t count);
void __wrap_log_write(enum log_level level, const char *message, const struct log_field *fields,
                      size_t count);
ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);

void __wrap_log_write(enum log_level level, const char *message, const struct log_field *fields,
                      size_t count)
{
    fuzz_logged_errors += level == LOG_LEVEL_ERROR;
    logging = true;
    __real_log_write(level, message, fields, count);
    logging = false;
}

/* Bytes of the character at `at`, of UTF-8 in its shortest form (RFC 3629), and which one; 0: it is
 * none. */
static size_t character(const unsigned char *at, size_t len, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (size == 0 || size > len || at[0] > 0xf4)
        return 0;
    *out = size == 1 ? at[0] : at[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *out = *out << 6 | (at[i] & 0x3f);
    }
    bool surrogate = *out >= 0xd800 && *out < 0xe000;
    return *out < least[size] || *out > 0x10ffff || surrogate ? 0 : size;
}

/* Control characters, line ends of other alphabets, and what turns a line around. */
static bool forges(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* Whatever a peer or a file says: one line of UTF-8, and nothing in it that makes it look like
 * another. */
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    const char *line = bytes;
    if (!logging)
        return __real_write(fd, bytes, len);
    HOLDS(len > 1 && line[len - 1] == '\n', "a log line of %zu bytes without its end", len);
    uint32_t c = 0;
    for (size_t i = 0, size; i + 1 < len; i += size) {
        size = character((const unsigned char *)line + i, len - 1 - i, &c);
        HOLDS(size > 0 && !forges(c), "byte 0x%02x in the log line %.*s",
              (unsigned)(unsigned char)line[i], (int)len, line);
    }
    return (ssize_t)len;
}
