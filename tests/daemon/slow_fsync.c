/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded: every fsync takes SLOW_FSYNC_S seconds, as on a disk that hangs. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int fd)
{
    const char *seconds = getenv("SLOW_FSYNC_S");
    if (seconds != NULL)
        (void)sleep((unsigned)strtoul(seconds, NULL, 10));
    return (int)syscall(SYS_fsync, fd);
}
