/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

_Bool error_set(struct error *reterr, const char *format, ...)
{
    if (reterr == NULL)
        return 0;
    /* Written aside first: an argument may point into *reterr itself. */
    struct error made;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(made.text, sizeof made.text, format, args);
    va_end(args);
    for (char *c = made.text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    *reterr = made;
    return 0;
}
