# SPDX-License-Identifier: Apache-2.0
"""hand_over.py FDS NAMES PROGRAM [ARGUMENT]...: becomes the program, which inherits these sockets.

As systemd does it: they are 3, 4, ..., and LISTEN_PID is the process that has them. FDS is a list of descriptors
such as 7,9; NAMES is what LISTEN_FDNAMES says, empty for none.
"""

import fcntl
import os
import sys

FIRST = 3


def main():
    fds, names, program, *arguments = sys.argv[1:]
    # Out of the way first: one of them may be where another has to go.
    high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in fds.split(",")]
    for place, fd in enumerate(high, FIRST):
        os.dup2(fd, place)
        os.close(fd)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)))
    if names:
        os.environ["LISTEN_FDNAMES"] = names
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    main()
