"""Acknowledged means durable, and a crash changes nothing: kill -9 of the server and of workers at several points."""

import hashlib
import os
import pathlib
import signal
import threading
import unittest
import uuid

import grpc

from support import contract as c
from support.case import Case, WDBC, eventually, training_of
from support.client import CHUNK_BYTES, Client, crc32c, diagnosis_spec, error_of
from support.server import Server

# Seconds of training, with thousands of events: room to kill in.
LONG = dict(layers=[c.spec.LayerSpec(units=256), c.spec.LayerSpec(units=256)], epochs=400, step_event_interval=5)


def alive(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").exists() and b"trainyard-worker" in pathlib.Path(
        f"/proc/{pid}/cmdline").read_bytes()


class CrashTest(Case):
    def setUp(self):
        super().setUp()
        self.server = self.enterContext(Server(self.folder / "data"))

    def connect(self):
        return self.enterContext(Client(self.server.address))

    def crash(self):
        """kill -9, then the next server on the same data; its workers' predecessors are gone."""
        workers = self.server.worker_pids()
        self.server.kill()
        eventually(lambda: not any(alive(pid) for pid in workers), "workers end with their server")
        self.server.start()
        return self.connect()

    def submit_long(self, client):
        return client.submit(client.upload(WDBC).name, diagnosis_spec(**LONG)).name

    def await_attempt(self, client, name, attempt):
        eventually(lambda: client.job(name).attempt == attempt and client.job(name).state == c.job.JOB_STATE_RUNNING,
                   f"attempt {attempt} of {name} runs")

    def see(self, client, name, count, start_sequence=0):
        """Watches until `count` events came; returns them."""
        events = []
        watch = client.watch(name, start_sequence)
        for message in watch:
            if message.HasField("event"):
                events.append(message.event)
            if len(events) >= count:
                break
        watch.cancel()
        return events

    def test_an_upload_goes_on_where_it_was_durable(self):
        data = WDBC.read_bytes()
        client = self.connect()
        name = client.datasets.CreateDataset(c.dataset.CreateDatasetRequest()).name
        first = data[:CHUNK_BYTES]
        client.datasets.WriteDataset(iter([c.dataset.WriteDatasetRequest(
            name=name, offset=0, data=first, crc32c=crc32c(first))]))
        client = self.crash()
        status = client.datasets.GetUploadStatus(c.dataset.GetUploadStatusRequest(name=name))
        self.assertEqual(status.committed_size_bytes, CHUNK_BYTES)
        self.assertEqual(client.write(name, data, offset=CHUNK_BYTES), len(data))
        client = self.crash()
        dataset = client.datasets.FinalizeDataset(c.dataset.FinalizeDatasetRequest(name=name))
        self.assertEqual(dataset.digest, "sha256:" + hashlib.sha256(data).hexdigest())
        client = self.crash()
        self.assertEqual(client.datasets.GetDataset(c.dataset.GetDatasetRequest(name=name)), dataset)

    def test_a_submitted_job_runs_once(self):
        client = self.connect()
        dataset = client.upload(WDBC)
        request_id = str(uuid.uuid4())
        name = client.submit(dataset.name, diagnosis_spec(), request_id).name
        client = self.crash()
        self.assertEqual(client.submit(dataset.name, diagnosis_spec(), request_id).name, name)
        self.assert_succeeded(client.wait(name))
        listed = client.jobs.ListTrainingJobs(c.job.ListTrainingJobsRequest()).training_jobs
        self.assertEqual([job.name for job in listed], [name])
        self.assert_dense(client.events(name))

    def test_every_acknowledged_job_of_a_burst_survives(self):
        client = self.connect()
        dataset = client.upload(WDBC).name
        acknowledged = []
        killer = threading.Timer(0.3, self.server.kill)
        killer.start()
        try:
            while True:
                acknowledged.append(client.submit(dataset, diagnosis_spec(epochs=1)).name)
        except grpc.RpcError:
            killer.join()
        self.assertGreater(len(acknowledged), 3)
        self.server.start()
        client = self.connect()
        for name in acknowledged:
            self.assert_succeeded(client.wait(name))
            self.assert_dense(client.events(name))

    def test_killing_the_server_in_training_changes_no_byte(self):
        client = self.connect()
        undisturbed = client.wait(self.submit_long(client))
        self.assert_succeeded(undisturbed)
        name = self.submit_long(client)
        seen = []
        for attempt, count in enumerate((3, 40, 200), start=1):
            self.await_attempt(client, name, attempt)
            seen += self.see(client, name, count, len(seen) + 1)
            client = self.crash()
        job = client.wait(name)
        self.assert_succeeded(job)
        self.assertEqual(job.attempt, 4, "the job ended before it was killed three times; make LONG longer")
        events = client.events(name)
        self.assert_dense(events)
        # What a watcher saw before a crash is what is stored after it: persisted first, then published.
        self.assertEqual(seen, events[:len(seen)])
        self.assert_same_result(client, undisturbed, job)

    def assert_same_result(self, client, one, other):
        self.assertEqual(one.receipt.result_digest, other.receipt.result_digest)
        self.assertEqual(training_of(client.events(one.name)), training_of(client.events(other.name)))

    def test_killing_a_worker_changes_no_byte(self):
        client = self.connect()
        undisturbed = client.wait(self.submit_long(client))
        name = self.submit_long(client)
        self.see(client, name, 50)
        os.kill(self.server.worker_pids()[0], signal.SIGKILL)
        job = client.wait(name)
        self.assert_succeeded(job)
        self.assertEqual(job.attempt, 2)
        self.assert_dense(client.events(name))
        self.assert_same_result(client, undisturbed, job)

    def test_three_lost_workers_end_a_job_as_an_infra_failure(self):
        client = self.connect()
        name = self.submit_long(client)
        for attempt in (1, 2, 3):
            self.await_attempt(client, name, attempt)
            os.kill(self.server.worker_pids()[0], signal.SIGKILL)
        job = client.wait(name)
        self.assertEqual(job.state, c.job.JOB_STATE_FAILED)
        self.assertEqual((job.error.reason, job.error.category),
                         (c.common.ERROR_REASON_WORKER_LOST, c.common.FAILURE_CATEGORY_INFRA))
        self.assert_dense(client.events(name))
        self.assert_serves(client)

    def assert_serves(self, client):
        after = client.wait(client.submit(client.upload(WDBC).name, diagnosis_spec(epochs=2)).name)
        self.assert_succeeded(after)

    def test_a_worker_that_does_not_stop_is_killed_at_the_runtime_limit(self):
        client = self.connect()
        spec = diagnosis_spec(**LONG)
        spec.epochs = 100000
        spec.max_runtime.FromSeconds(2)
        name = client.submit(client.upload(WDBC).name, spec).name
        self.see(client, name, 5)
        os.kill(self.server.worker_pids()[0], signal.SIGSTOP)  # as a step that never ends
        job = client.wait(name)
        self.assertEqual((job.state, job.error.reason, job.error.category),
                         (c.job.JOB_STATE_FAILED, c.common.ERROR_REASON_RUNTIME_LIMIT, c.common.FAILURE_CATEGORY_USER))
        self.assertTrue(job.error.hint)
        self.assert_serves(client)

    def test_the_runtime_limit_keeps_the_model(self):
        client = self.connect()
        spec = diagnosis_spec(epochs=100000)
        spec.max_runtime.FromSeconds(1)
        job = client.wait(client.submit(client.upload(WDBC).name, spec).name)
        self.assert_succeeded(job)
        self.assertEqual(job.stop_reason, c.job.STOP_REASON_RUNTIME_LIMIT)
        self.assertTrue(job.model)

    def test_a_job_that_cannot_fit_is_refused_with_the_numbers(self):
        client = self.connect()
        spec = diagnosis_spec(layers=[c.spec.LayerSpec(units=8192)] * 3, epochs=50, max_memory_bytes=256 << 20)
        with self.assertRaises(grpc.RpcError) as caught:
            client.submit(client.upload(WDBC).name, spec)
        reason, _, violations = error_of(caught.exception)
        self.assertEqual((reason, [v.field for v in violations]), ("INVALID_SPEC", ["spec.max_memory_bytes"]))
        self.assertIn("134496257 parameters", violations[0].description)

    def test_a_job_beyond_its_memory_ends_alone(self):
        client = self.connect()
        # By its estimate it fits, just; the process around it is what is too much.
        spec = diagnosis_spec(layers=[c.spec.LayerSpec(units=4040)] * 2, epochs=50, max_memory_bytes=256 << 20)
        job = client.wait(client.submit(client.upload(WDBC).name, spec).name)
        self.assertEqual((job.state, job.error.reason, job.error.category),
                         (c.job.JOB_STATE_FAILED, c.common.ERROR_REASON_OUT_OF_MEMORY, c.common.FAILURE_CATEGORY_USER))
        self.assertTrue(job.error.hint)
        self.assert_serves(client)


class SecondServerTest(Case):
    def test_a_data_directory_has_one_server(self):
        with Server(self.folder / "data") as first:
            second = Server(self.folder / "data")
            with self.assertRaises(AssertionError) as caught:
                second.start()
            self.assertIn("data", str(caught.exception))
            with Client(first.address) as client:
                self.assertTrue(client.info().version)


class UnavailableTest(Case):
    def test_a_killed_server_is_unavailable_not_silent(self):
        with Server(self.folder / "data") as server, Client(server.address) as client:
            client.info()
            server.kill()
            with self.assertRaises(grpc.RpcError) as caught:
                client.info()
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)


if __name__ == "__main__":
    unittest.main()
