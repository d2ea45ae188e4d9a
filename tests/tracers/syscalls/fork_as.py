"""A child process with a number of one's choosing, which must be free. Needs root.

Started as `fork_as.py PID` it becomes the parent of the command in the environment's COMMAND (JSON), run under that
number; a command of its own would be what a rule looks for.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import sys

CLONE3, PR_SET_PDEATHSIG = 435, 1
# Unlike CDLL it keeps Python's lock, as os.fork does.
LIBC = ctypes.PyDLL(None, use_errno=True)


def fork_as(pid: int) -> int:
    """As os.fork(): 0 in the child."""
    wanted = ctypes.c_int(pid)
    arguments = struct.pack("=11Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(wanted), 1, 0)
    result: int = LIBC.syscall(CLONE3, ctypes.create_string_buffer(arguments, len(arguments)), len(arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"clone3 as {pid}: {os.strerror(number)}")
    return result


if __name__ == "__main__":
    command = json.loads(os.environ["COMMAND"])
    child = fork_as(int(sys.argv[1]))
    if child == 0:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.execv(command[0], command)
    os.close(1)  # its end is then that of the pipe
    os.waitpid(child, 0)
