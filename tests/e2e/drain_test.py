"""SIGTERM while people watch: streams end with a reason, jobs are kept, and the next server goes on."""

import json
import subprocess
import time
import unittest

import grpc

from support import contract as c
from support.case import Case, WDBC, eventually
from support.client import Client, diagnosis_spec, error_of
from support.server import BIN, Server
from support.watcher import Watcher

LONG = dict(layers=[c.spec.LayerSpec(units=256), c.spec.LayerSpec(units=256)], epochs=400, step_event_interval=5)


class DrainTest(Case):
    def setUp(self):
        super().setUp()
        self.server = self.enterContext(Server(self.folder / "data"))

    def submit_long(self):
        with Client(self.server.address) as client:
            return client.submit(client.upload(WDBC).name, diagnosis_spec(**LONG)).name

    def test_a_watch_ends_with_draining_and_goes_on_at_the_next_server(self):
        name = self.submit_long()
        events = []
        with Client(self.server.address) as client:
            with self.assertRaises(grpc.RpcError) as caught:
                for message in client.watch(name):
                    if message.HasField("event"):
                        events.append(message.event)
                    if len(events) == 20:
                        self.server.terminate()
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(error_of(caught.exception)[0], "DRAINING")
        self.assertEqual(self.server.process.wait(timeout=60), 0)
        self.server.start()
        with Client(self.server.address) as client:
            rest = [m.event for m in client.watch(name, len(events) + 1) if m.HasField("event")]
            self.assert_dense(events + rest)
            self.assert_succeeded(client.job(name))
            self.assertEqual(events + rest, client.events(name))

    def test_the_command_line_reconnects_by_itself(self):
        name = self.submit_long()
        out = self.folder / "watch.json"
        with open(out, "w") as file:
            watch = subprocess.Popen(
                [BIN / "trainyard", "--server", self.server.address, "-o", "json", "job", "watch", name],
                stdout=file, stderr=subprocess.PIPE, text=True)
        self.addCleanup(watch.kill)
        eventually(lambda: len(out.read_text().splitlines()) >= 20, "the watch shows events")
        self.server.stop()
        self.server.start()
        _, err = watch.communicate(timeout=120)
        self.assertEqual(watch.returncode, 0, err)
        documents = [json.loads(line) for line in out.read_text().splitlines()]
        sequences = [int(d["event"]["sequence"]) for d in documents if "event" in d]
        self.assertEqual(sequences, list(range(1, len(sequences) + 1)))
        self.assertTrue(err, "it should say that it reconnected")

    def test_a_rolling_restart_under_load_loses_no_event_at_any_watcher(self):
        with Client(self.server.address) as client:
            dataset = client.upload(WDBC).name
            short = [client.submit(dataset, diagnosis_spec(epochs=150, seed=1)).name for _ in range(24)]
            names = [client.submit(dataset, diagnosis_spec(**LONG)).name for _ in range(2)] + short
        watchers = [Watcher(self.server, name) for name in names]
        for watcher in watchers:
            watcher.start()
        for restart in range(3):
            eventually(self.running, "a job runs")
            ended = sum(not watcher.is_alive() for watcher in watchers)
            eventually(lambda: sum(len(watcher.events) for watcher in watchers) > 100 * (restart + 1), "events come")
            self.assertLess(ended, len(names), "there is load")
            self.server.stop()
            self.server.start()
        for watcher in watchers:
            watcher.join(timeout=120)
        with Client(self.server.address) as client:
            for watcher in watchers:
                self.assertEqual(watcher.events, client.events(watcher.name))
                self.assert_dense(watcher.events)
                self.assert_succeeded(client.job(watcher.name))
            # The same job, whether it was interrupted or not.
            self.assertEqual(len({client.job(name).receipt.result_digest for name in short}), 1)
        ends = [end.code() for watcher in watchers for end in watcher.ends]
        self.assertGreaterEqual(len(ends), 24)
        self.assertEqual(set(ends), {grpc.StatusCode.UNAVAILABLE})

    def test_an_idle_server_stops_quickly(self):
        started = time.monotonic()
        self.server.stop()
        self.assertLess(time.monotonic() - started, 5)

    def test_a_second_signal_stops_at_once(self):
        self.submit_long()
        eventually(lambda: self.running(), "the job runs")
        self.server.terminate()
        self.server.terminate()
        self.server.process.wait(timeout=10)

    def running(self):
        with Client(self.server.address) as client:
            return client.info().jobs_running == 1


if __name__ == "__main__":
    unittest.main()
