"""The README's first command, run twice: it trains, predicts, shows metrics and stops cleanly; the second run is quick."""

import os
import subprocess
import time
import unittest

from support import contract as c
from support.case import Case
from support.client import Client
from support.server import BIN, Server

SECOND_RUN_SECONDS_MAX = 60


class QuickstartTest(Case):
    def run_quickstart(self, *options):
        # From another folder, without locale and terminal, as on a bare machine.
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        return subprocess.run(
            [c.ROOT / "deploy/quickstart.sh", "--bin", BIN, "--data-dir", self.folder / "data", *options],
            cwd="/", env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280)

    def test_it_works_and_works_again(self):
        for attempt in (1, 2):
            started = time.monotonic()
            run = self.run_quickstart()
            self.assertEqual(run.returncode, 0, f"attempt {attempt}:\n{run.stdout}\n{run.stderr}")
            for part in ("test accuracy", "trainyard_jobs_finished_total", "trainyard_job_loss", "stopped cleanly"):
                self.assertIn(part, run.stdout)
        self.assertLess(time.monotonic() - started, SECOND_RUN_SECONDS_MAX)

    def test_an_accuracy_below_the_promise_fails_loudly(self):
        run = self.run_quickstart("--", "--epochs", "1", "--learning-rate", "0.0000001")
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertIn("below 0.95", run.stderr)

    def test_an_unknown_option_is_refused(self):
        run = self.run_quickstart("--frobnicate")
        self.assertEqual(run.returncode, 2)
        self.assertIn("--frobnicate", run.stderr)

    def test_the_example_configuration_is_accepted(self):
        with Server(self.folder / "data", options=["--config", c.ROOT / "deploy/trainyard.toml"]) as server:
            with Client(server.address) as client:
                limits = client.info().limits
            self.assertEqual((limits.dataset_bytes_max, limits.owner_jobs_max), (4 << 30, 1000))
            server.stop()


if __name__ == "__main__":
    unittest.main()
