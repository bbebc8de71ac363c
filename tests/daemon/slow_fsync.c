/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded: every fsync and fdatasync takes SLOW_FSYNC_S seconds, as on a disk that hangs. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void be_slow(void)
{
    const char *seconds = getenv("SLOW_FSYNC_S");
    if (seconds != NULL)
        (void)sleep((unsigned)strtoul(seconds, NULL, 10));
}

int fsync(int fd)
{
    be_slow();
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    be_slow();
    return (int)syscall(SYS_fdatasync, fd);
}
