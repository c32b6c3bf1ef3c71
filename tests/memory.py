"""Where tests work: in memory where there is room.

It spares tests that run git a third of their time. None needs a medium: what they end is processes,
and what a power cut leaves is played out by harnesses that know what was flushed. TMPDIR=... makes
a whole run work somewhere else.
"""

import os
import shutil
import tempfile
from pathlib import Path

FOLDER = Path("/dev/shm")
ROOM_SIZE_MIN = 4 << 30  # two environments, two servers, and what tests that failed keep


def work_there() -> None:
    """Let this process, and those it starts, make their temporary folders in memory."""
    if "TMPDIR" in os.environ or not os.access(FOLDER, os.W_OK):
        return
    runs_programs = not os.statvfs(FOLDER).f_flag & os.ST_NOEXEC  # what is built there is run there
    if runs_programs and shutil.disk_usage(FOLDER).free >= ROOM_SIZE_MIN:
        os.environ["TMPDIR"] = tempfile.tempdir = str(FOLDER)
