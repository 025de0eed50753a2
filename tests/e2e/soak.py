"""Random clients against one server for a while; see soak.sh.

Clients upload, submit, watch, cancel, pause, predict, delete, go away in the middle and send what is no gRPC; workers are
killed. The server itself lives on: at the end it must hold no more memory, descriptors and threads than early on, have
answered every call with what the contract allows, and have brought every job to an end.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time

import grpc

from support import contract as c
from support.case import IRIS, WDBC, eventually
from support.client import Client, diagnosis_spec
from support.server import Server

CLIENTS = 6
SAMPLE_SECONDS = 1
KILL_SECONDS = (0.5, 5)
JOBS_REMEMBERED = 200
# What a client may get for asking at the wrong time, or for going away.
EXPECTED = {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.CANCELLED, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.ABORTED}
OPTIONS = ("--finished-job-ttl", "20s", "--unused-dataset-ttl", "20s", "--checkpoint-interval", "200ms",
           "--log-level", "error")
# How much more the last part of the samples may be than an early one.
MEMORY_SLACK = 1.10
MEMORY_SLACK_BYTES = 24 << 20
DESCRIPTORS_SLACK = 24
THREADS_SLACK = 8


class Shared:
    """What the clients know of each other's jobs."""

    def __init__(self, dataset, other):
        self.lock = threading.Lock()
        self.dataset, self.other = dataset, other
        self.jobs = collections.deque(maxlen=JOBS_REMEMBERED)
        self.calls, self.unexpected = collections.Counter(), []


class RandomClient(threading.Thread):
    def __init__(self, address, shared, seed, deadline):
        super().__init__(daemon=True)
        self.address, self.shared, self.deadline = address, shared, deadline
        self.random = random.Random(seed)
        self.actions = [self.submit] * 6 + [self.watch] * 4 + [self.cancel] * 2 + [
            self.pause, self.resume, self.upload, self.leave_upload, self.predict, self.look, self.wait, self.delete,
            self.invalid, self.garbage]

    def run(self):
        while time.monotonic() < self.deadline:
            with Client(self.address) as client:
                for _ in range(self.random.randint(1, 30)):
                    self.act(client)

    def act(self, client):
        action = self.random.choice(self.actions)
        self.shared.calls[action.__name__] += 1
        try:
            action(client)
        except grpc.RpcError as error:
            if error.code() not in EXPECTED:
                self.tell(f"{action.__name__}: {error.code()}: {error.details()}")
        except Exception as error:  # pylint: disable=broad-except - a client that ends would look like peace
            self.tell(f"{action.__name__}: {error!r}")

    def tell(self, what):
        with self.shared.lock:
            self.shared.unexpected.append(what)

    def any_job(self):
        with self.shared.lock:
            return self.random.choice(self.shared.jobs) if self.shared.jobs else "trainingJobs/none"

    def submit(self, client):
        spec = self.random.choice([
            diagnosis_spec(epochs=3), diagnosis_spec(layers=[], epochs=50),
            diagnosis_spec(epochs=300, layers=[c.spec.LayerSpec(units=128)] * 2, step_event_interval=5),
            diagnosis_spec(epochs=20, seed_count=3, layer_records=c.spec.LAYER_RECORDS_HISTOGRAMS)])
        priority = self.random.choice([c.job.JOB_PRIORITY_INTERACTIVE, c.job.JOB_PRIORITY_BATCH])
        job = client.jobs.CreateTrainingJob(c.job.CreateTrainingJobRequest(training_job=c.job.TrainingJob(
            dataset=self.shared.dataset, spec=spec, priority=priority)), timeout=60)
        with self.shared.lock:
            self.shared.jobs.append(job.name)

    def watch(self, client):
        stream = client.jobs.WatchTrainingJob(c.job.WatchTrainingJobRequest(name=self.any_job()),
                                              timeout=self.random.uniform(0.1, 5))
        try:
            for count, _ in enumerate(stream):
                if count > self.random.randint(0, 200):
                    stream.cancel()
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:  # the job may be paused
                raise

    def cancel(self, client):
        client.jobs.CancelTrainingJob(c.job.CancelTrainingJobRequest(name=self.any_job()), timeout=60)

    def pause(self, client):
        client.jobs.PauseTrainingJob(c.job.PauseTrainingJobRequest(name=self.any_job()), timeout=60)

    def resume(self, client):
        client.jobs.ResumeTrainingJob(c.job.ResumeTrainingJobRequest(name=self.any_job()), timeout=60)

    def upload(self, client):
        name = client.upload(self.random.choice([WDBC, IRIS])).name
        client.datasets.DeleteDataset(c.dataset.DeleteDatasetRequest(name=name), timeout=60)

    def leave_upload(self, client):
        data = self.random.randbytes(200_000)
        created = client.datasets.CreateDataset(c.dataset.CreateDatasetRequest(), timeout=60)
        client.write(created.name, data)
        client.datasets.DeleteDataset(c.dataset.DeleteDatasetRequest(name=created.name), timeout=60)

    def predict(self, client):
        models = client.models.ListModels(c.model.ListModelsRequest(page_size=5), timeout=60).models
        if models:
            client.predict(self.random.choice(models).name, [[1.0] * 30])

    def look(self, client):
        client.info()
        client.jobs.ListTrainingJobs(c.job.ListTrainingJobsRequest(page_size=50), timeout=60)
        client.events(self.any_job())

    def wait(self, client):
        request = c.job.WaitTrainingJobRequest(name=self.any_job())
        request.timeout.FromMilliseconds(self.random.randint(1, 300))
        client.jobs.WaitTrainingJob(request, timeout=60)

    def delete(self, client):
        client.jobs.DeleteTrainingJob(c.job.DeleteTrainingJobRequest(name=self.any_job()), timeout=60)

    def invalid(self, client):
        client.submit(self.shared.other, diagnosis_spec(epochs=-1))

    def garbage(self, _client):
        host, port = self.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(self.random.randbytes(self.random.randint(1, 4000)))


class Sampler(threading.Thread):
    """The server's size, as the kernel counts it."""

    def __init__(self, pid, deadline):
        super().__init__(daemon=True)
        self.pid, self.deadline, self.samples = pid, deadline, []

    def run(self):
        while time.monotonic() < self.deadline:
            self.samples.append(self.sample())
            time.sleep(SAMPLE_SECONDS)

    def sample(self):
        folder = pathlib.Path(f"/proc/{self.pid}")
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        return {"memory_bytes": int(status["VmRSS"].split()[0]) * 1024, "threads": int(status["Threads"]),
                "descriptors": len(os.listdir(folder / "fd"))}

    def medians(self, begin, end):
        part = self.samples[int(len(self.samples) * begin):int(len(self.samples) * end)]
        return {key: statistics.median(sample[key] for sample in part) for key in self.samples[0]}


def kill_workers(server, rng, deadline):
    kills = 0
    while time.monotonic() < deadline:
        time.sleep(rng.uniform(*KILL_SECONDS))
        pids = server.worker_pids()
        try:
            os.kill(rng.choice(pids), signal.SIGKILL)
            kills += 1
        except (ProcessLookupError, IndexError):
            pass  # it went by itself meanwhile
    return kills


def soak(folder, minutes, seed):
    rng = random.Random(seed)
    with Server(folder / "data", workers=2, options=OPTIONS) as server:
        with Client(server.address) as client:
            # Small enough for jobs to use while the clients' own datasets come and go.
            shared = Shared(client.upload(WDBC).name, client.upload(IRIS).name)
        deadline = time.monotonic() + 60 * minutes
        clients = [RandomClient(server.address, shared, rng.random(), deadline) for _ in range(CLIENTS)]
        sampler = Sampler(server.process.pid, deadline)
        for thread in [*clients, sampler]:
            thread.start()
        kills = kill_workers(server, rng, deadline)
        for thread in [*clients, sampler]:
            thread.join(timeout=180)
        shared.unexpected += ["a call has not returned" for thread in clients if thread.is_alive()]
        shared.unexpected += [f"{action.__name__}: never done" for action in clients[0].actions
                              if not shared.calls[action.__name__]]
        with Client(server.address) as client:
            for name in list(shared.jobs):
                try:
                    client.jobs.ResumeTrainingJob(c.job.ResumeTrainingJobRequest(name=name), timeout=60)
                except grpc.RpcError:
                    pass  # it is not paused
            eventually(lambda: client.info().jobs_pending + client.info().jobs_running == 0, "all jobs end", 600)
        server.stop()
    return report(shared, sampler, kills, minutes, seed)


def report(shared, sampler, kills, minutes, seed):
    early, late = sampler.medians(0.25, 0.4), sampler.medians(0.85, 1)
    flat = (late["memory_bytes"] <= MEMORY_SLACK * early["memory_bytes"] + MEMORY_SLACK_BYTES
            and late["descriptors"] <= early["descriptors"] + DESCRIPTORS_SLACK
            and late["threads"] <= early["threads"] + THREADS_SLACK)
    for text in shared.unexpected[:20]:
        print(text, file=sys.stderr)
    return {"minutes": minutes, "seed": seed, "calls": dict(shared.calls), "worker_kills": kills, "early": early,
            "late": late, "flat": flat, "unexpected": len(shared.unexpected)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ty-", dir="/tmp"))
    try:
        counts = soak(folder, options.minutes, options.seed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(counts))
    return not counts["flat"] or counts["unexpected"] > 0


if __name__ == "__main__":
    sys.exit(main())
