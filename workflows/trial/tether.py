"""How does a process end with the one that started it, even by kill -9? The kernel is told to end it then.

As a command, ``python -m workflows.trial.tether PID COMMAND ...`` becomes the command and gets SIGTERM when PID ends.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h; the signal stays set when another program is executed


def tether(parent: int, number: int = signal.SIGKILL) -> None:
    """Have this process get a signal when its parent ends; at once where it has ended already.

    Linux watches the thread that started this process: it must live as long as the parent's work does.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def tethered(command: list[str]) -> list[str]:
    """The command, told to end (SIGTERM) when this process does."""
    return [sys.executable, "-m", "workflows.trial.tether", str(os.getpid()), *command]


if __name__ == "__main__":
    tether(int(sys.argv[1]), signal.SIGTERM)
    os.execvp(sys.argv[2], sys.argv[2:])
