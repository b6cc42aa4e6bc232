"""The tools of a comparison as forks of this process, which has imported what they need."""
import contextlib
import os
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from imtnas_mm.experiments.execute import Processes, Stopped

from . import stub_tools
from . import tiny_run as tiny


class ForkedProcesses(Processes):
    """Each process is a fork, which calls ``main`` of the tool that its command names."""

    def start(self, command, log, environment=None, keep=()):
        with self.lock:
            if self.stopped:
                raise Stopped
            number = os.fork()
            if number:
                self.running[number] = SimpleNamespace(pid=number, returncode=None)
                return number
        os.environ.update(environment or {})
        os._exit(exit_code(command[1], command[2:], log))


def exit_code(tool, arguments, log):
    """Of ``main``, whose output goes to a log."""
    for stream in (1, 2):
        os.dup2(log.fileno(), stream)
    sys.stdout = sys.stderr = open(1, 'w', buffering=1, closefd=False)  # pytest has put its own in their place
    try:
        with tiny.own_scope():
            tiny.tool(Path(tool).stem).main(arguments)
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code)
            return 1
        return error.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def compare(experiment, work_dir):
    """tools/compare.py on an experiment, by the tools of the package."""
    with mock.patch('imtnas_mm.experiments.compare.Processes', ForkedProcesses), contextlib.redirect_stdout(sys.stderr):
        stub_tools.compare(experiment, work_dir, tiny.ROOT / 'tools')
