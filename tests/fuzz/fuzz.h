/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what every target includes: how an input is taken apart, and how a case fails.
 *
 * A target links fuzz.c, too, which judges each line that the product logs and shows none.
 *
 * Ownership  What fuzz_rest() and fuzz_line() return is new: free() it.
 * Errors     None: whatever goes wrong in a target itself ends the process, as a finding does.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What the product owes in this case; else the input is a finding, and the text says why. */
#define HOLDS(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                                \
    } while (0)

_Noreturn void fuzz_fail(const char *file, int line, const char *condition, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* `memory`, unless there was none. */
void *fuzz_checked(void *memory);

/* What is left of an input. */
struct input {
    const uint8_t *at;
    size_t left;
};

/* The next byte; 0 behind the end. */
unsigned fuzz_byte(struct input *in);

/* All that is left, with a NUL behind it. The allocation ends there, so that one byte read too many
 * is seen. */
char *fuzz_rest(struct input *in, size_t *len);

/* The same up to the next newline, which is taken, too. */
char *fuzz_line(struct input *in);

/* What is left up to the next FUZZ_PART_END; both are taken off it. */
#define FUZZ_PART_END 0x1e
struct input fuzz_part(struct input *in);

/* A folder of this process's own below TMPDIR, by default in memory; it goes at exit. */
const char *fuzz_folder(void);

/* `bytes` as `name` in it. */
void fuzz_write_file(const char *name, const void *bytes, size_t len);

/* How many errors the product has logged so far. */
extern unsigned fuzz_logged_errors;

/* What each target defines for libFuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
