"""A test case with a folder of its own, and the statements that several suites make."""

import csv
import pathlib
import shutil
import tempfile
import time
import unittest

from support import contract as c

WDBC = c.ROOT / "tests/data/wdbc.csv"
IRIS = c.ROOT / "tests/data/iris.csv"
AUTO_IMPORTS = c.ROOT / "tests/data/auto_imports.csv"  # no header, text, `?` for missing, the price last
IMAGES = c.ROOT / "tests/data/mnist-60-images-idx3-ubyte.gz"
LABELS = c.ROOT / "tests/data/mnist-60-labels-idx1-ubyte.gz"


def rows_of(path):
    """(feature rows as numbers, labels) of a table whose last column is the label."""
    with open(path, newline="") as file:
        records = list(csv.reader(file))[1:]
    return [[float(cell) for cell in record[:-1]] for record in records], [record[-1] for record in records]


def eventually(condition, what, seconds=30):
    """Polls `condition` until it is true; returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


class Case(unittest.TestCase):
    def setUp(self):
        # Short: the workers' socket lives below it, and a socket's path has 107 bytes at most.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ty-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def assert_dense(self, events):
        """Sequences are 1, 2, 3, … and only the last event is terminal."""
        self.assertEqual([event.sequence for event in events], list(range(1, len(events) + 1)))
        terminal = [event.sequence for event in events if event.WhichOneof("kind") == "state_change"
                    and event.state_change.to in (c.job.JOB_STATE_SUCCEEDED, c.job.JOB_STATE_FAILED,
                                                  c.job.JOB_STATE_CANCELLED)]
        self.assertEqual(terminal, [len(events)])

    def assert_succeeded(self, job):
        self.assertEqual(c.job.JobState.Name(job.state), "JOB_STATE_SUCCEEDED", job)


def training_of(events):
    """What was computed: the events of training, without sequence, time and attempt."""
    kinds = ("step", "epoch", "test")
    return [getattr(event, event.WhichOneof("kind")).SerializeToString(deterministic=True)
            for event in events if event.WhichOneof("kind") in kinds]
