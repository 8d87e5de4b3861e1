"""Processes end with the one that they belong to, be it their parent or not."""

import subprocess
import sys
from time import sleep

WAITS = """
import sys, time
from asymtheory import processes
processes.LOOK = 0.02
processes.end_with(int(sys.argv[1]))
time.sleep(60)
"""


def test_a_process_ends_with_another_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        waiting = subprocess.Popen([sys.executable, "-c", WAITS, str(other.pid)])
        sleep(0.3)
        assert waiting.poll() is None
        other.kill()
    assert waiting.wait(20) == 1
