"""kill -9 of server and workers at random instants over a mixed load; see kill_loop.sh.

Every kind of job is run once undisturbed; then the same kinds are submitted while server, workers or both are killed.
At the end each acknowledged job must be there once, have succeeded with the bundle and the training events of the
undisturbed one, and have a dense log; what a watcher saw across all the crashes must be what is stored.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid

import grpc

from support import contract as c
from support.case import WDBC, eventually, training_of
from support.client import Client, diagnosis_spec
from support.server import Server
from support.watcher import Watcher

UNFINISHED_MIN = 6  # jobs that are kept waiting or running
PAUSE_SECONDS_MAX = 0.5  # between a server that serves and the next kill
WAIT_SECONDS = 600  # for the jobs that are left when the killing ends
# Checkpoints come so often because a job of which three attempts in a row are lost without one is given up, as it should be.
OPTIONS = ("--checkpoint-interval", "10ms", "--log-level", "error")
WIDE = [c.spec.LayerSpec(units=128, dropout=0.1), c.spec.LayerSpec(units=128)]


def kinds():
    """Small and large jobs, of every way to train that has a state of its own."""
    early = c.spec.EarlyStoppingSpec(patience=40, restore_best=True)
    return {
        "small": diagnosis_spec(epochs=5),
        "logistic": diagnosis_spec(layers=[], epochs=300),
        "large": diagnosis_spec(layers=WIDE, epochs=250, step_event_interval=5),
        "best": diagnosis_spec(layers=WIDE, epochs=150, evaluation_interval=7, early_stopping=early),
        "seeds": diagnosis_spec(epochs=60, seed_count=4, layers=WIDE[:1]),
        "folds": diagnosis_spec(epochs=60, layers=WIDE[:1], split=c.spec.SplitSpec(fold_count=4)),
        "lbfgs": diagnosis_spec(epochs=60, batch_size=569, optimizer=c.spec.OptimizerSpec(
            kind=c.spec.OptimizerSpec.LBFGS)),
    }


class Reference:
    """What an undisturbed job of each kind comes to."""

    def __init__(self, folder):
        self.digests, self.trainings = {}, {}
        with Server(folder / "reference", workers=1, options=OPTIONS) as server, Client(server.address) as client:
            dataset = client.upload(WDBC).name
            names = {kind: client.submit(dataset, spec).name for kind, spec in kinds().items()}
            for kind, name in names.items():
                job = client.wait(name, 300)
                assert job.state == c.job.JOB_STATE_SUCCEEDED, job
                self.digests[kind] = job.receipt.result_digest
                self.trainings[kind] = training_of(client.events(name))


class Loop:
    def __init__(self, folder, seed):
        self.random = random.Random(seed)
        self.reference = Reference(folder)
        self.server = Server(folder / "data", workers=2, options=OPTIONS)
        self.submitted = {}  # name → kind
        self.watchers = []
        self.kills = {"server": 0, "worker": 0, "both": 0}

    def again(self, call):
        """A call that may meet a server that is just being killed: repeated until it is answered."""
        while True:
            try:
                with Client(self.server.address) as client:
                    return call(client)
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                    raise
                time.sleep(0.05)

    def submit(self):
        kind = self.random.choice(list(kinds()))
        request_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        name = self.again(lambda client: client.submit(self.dataset, kinds()[kind], request_id).name)
        self.submitted[name] = kind
        if len(self.watchers) < 20:
            self.watchers.append(Watcher(self.server, name))
            self.watchers[-1].start()

    def info(self):
        return self.again(lambda client: client.info())

    def unfinished(self):
        info = self.info()
        return info.jobs_pending + info.jobs_running

    def kill(self):
        what = self.random.choice(list(self.kills))
        self.kills[what] += 1
        pids = self.server.worker_pids()
        if what in ("worker", "both") and pids:
            try:
                os.kill(self.random.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                pass  # it went by itself meanwhile
        if what == "worker":
            return
        self.server.kill()
        self.server.start()

    def run(self, rounds):
        self.server.start()
        self.dataset = self.again(lambda client: client.upload(WDBC).name)
        for _ in range(rounds):
            while self.unfinished() < UNFINISHED_MIN:
                self.submit()
            eventually(lambda: self.info().jobs_running > 0, "a worker of the new server has a job")
            # A submission may be the one that is interrupted.
            racing = threading.Thread(target=self.submit)
            racing.start()
            time.sleep(self.random.random() * PAUSE_SECONDS_MAX)
            self.kill()
            racing.join()
        eventually(lambda: self.unfinished() == 0, "all jobs end", WAIT_SECONDS)
        return self.counts(rounds)

    def counts(self, rounds):
        counts = {"rounds": rounds, "kills": self.kills, "jobs": len(self.submitted), "attempts": 0, "checkpoints": 0,
                  "watched": len(self.watchers), "lost": 0, "duplicated": 0, "differing": 0, "gaps": 0}
        with Client(self.server.address) as client:
            listed = self.listed(client)
            counts["duplicated"] = len(listed) - len(set(listed) & set(self.submitted))
            for name, kind in self.submitted.items():
                self.check(client, name, kind, counts)
            for watcher in self.watchers:
                watcher.join(timeout=30)
                if watcher.events != client.events(watcher.name):
                    self.tell(counts, "gaps", watcher.name, "a watcher saw something else than is stored")
        return counts

    @staticmethod
    def listed(client):
        names, token = [], ""
        while True:
            page = client.jobs.ListTrainingJobs(c.job.ListTrainingJobsRequest(page_size=1000, page_token=token))
            names += [job.name for job in page.training_jobs]
            token = page.next_page_token
            if not token:
                return names

    def check(self, client, name, kind, counts):
        try:
            job = client.job(name)
        except grpc.RpcError as error:
            return self.tell(counts, "lost", name, error.code())
        counts["attempts"] += job.attempt
        if job.state != c.job.JOB_STATE_SUCCEEDED:
            return self.tell(counts, "lost", name, f"{c.job.JobState.Name(job.state)} in attempt {job.attempt}: "
                                                   f"{job.error.message}")
        events = client.events(name)
        counts["checkpoints"] += sum(event.WhichOneof("kind") == "checkpoint" for event in events)
        if [event.sequence for event in events] != list(range(1, len(events) + 1)):
            self.tell(counts, "gaps", name, "its log is not dense")
        same = job.receipt.result_digest == self.reference.digests[kind] and training_of(
            events) == self.reference.trainings[kind]
        if not same:
            self.tell(counts, "differing", name, f"{kind}, attempt {job.attempt}")

    @staticmethod
    def tell(counts, what, name, why):
        counts[what] += 1
        print(f"{what}: {name}: {why}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ty-", dir="/tmp"))
    loop = None
    try:
        loop = Loop(folder, options.seed)
        counts = loop.run(options.rounds)
    finally:
        if loop is not None and loop.server.process is not None:
            loop.server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    counts["seed"] = options.seed
    print(json.dumps(counts))
    return any(counts[what] for what in ("lost", "duplicated", "differing", "gaps"))


if __name__ == "__main__":
    sys.exit(main())
