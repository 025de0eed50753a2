"""Another language, by the proto files alone: grpc_js/main.mjs runs the main job against a real server."""

import json
import subprocess
import unittest

from support import contract as c
from support.case import Case, WDBC
from support.client import Client
from support.server import Server

FOLDER = c.ROOT / "tests/e2e/grpc_js"


class GrpcJsTest(Case):
    def test_the_main_job_runs_from_javascript(self):
        self.assertTrue((FOLDER / "node_modules").is_dir(), f"run `npm ci --ignore-scripts` in {FOLDER} (tests/run.sh does)")
        with Server(self.folder / "data") as server:
            run = subprocess.run(["node", FOLDER / "main.mjs", server.address, c.ROOT / "proto", WDBC],
                                 capture_output=True, text=True, timeout=120)
            self.assertEqual(run.returncode, 0, run.stderr)
            result = json.loads(run.stdout)
            with Client(server.address) as client:
                self.assertEqual(len(client.events(result["job"])), result["events"])
                self.assert_succeeded(client.job(result["job"]))


if __name__ == "__main__":
    unittest.main()
