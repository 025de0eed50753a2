"""The receiver of check runs of tests/server/grading/fake_hook.py, as a process beside a server under test.

    with Hook(folder, "secret", "503", "lost") as hook:    # what it does to its first POSTs; then it takes them
        target.url = hook.url
        hook.rows()                                        # what it stored, a dict a POST
"""

import json
import pathlib
import subprocess

from support import contract as c
from support.case import eventually
from support.prometheus import fetch


class Hook:
    def __init__(self, folder, secret, *behaviours):
        self.secret = secret
        self.port_file = pathlib.Path(folder) / "hook.port"
        self.command = ["/usr/bin/python3", "-B", c.ROOT / "tests/server/grading/fake_hook.py", self.port_file, secret,
                        *behaviours]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE)
        eventually(self.port_file.exists, "the hook listens")
        self.address = f"http://127.0.0.1:{self.port_file.read_text()}"
        self.url = self.address + "/hook"
        return self

    def __exit__(self, *unused):
        self.process.stdin.close()
        self.process.wait()

    def rows(self):
        return [json.loads(line) for line in fetch(self.address + "/log").splitlines()]

    def page(self):
        """What the course's page says: {(student, homework): points}."""
        lines = (line.split(" ") for line in fetch(self.address + "/page").splitlines())
        return {(student, homework): int(points) for student, homework, points in lines}
