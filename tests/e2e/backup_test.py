"""A backup beside a running server, and what a server on the restored copy knows."""

import os
import signal
import subprocess
import unittest

from support import contract as c
from support.case import Case, WDBC, eventually, training_of
from support.client import CHUNK_BYTES, Client, crc32c, diagnosis_spec
from support.server import BIN, Server

LONG = dict(layers=[c.spec.LayerSpec(units=256), c.spec.LayerSpec(units=256)], epochs=400, step_event_interval=5)


class BackupTest(Case):
    def run_server(self, *arguments):
        return subprocess.run([BIN / "trainyard-server", *map(str, arguments)], capture_output=True, text=True)

    def backup(self, data):
        result = self.run_server("backup", self.folder / "backup", "--data-dir", data)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def restore(self, to):
        return self.run_server("restore", self.folder / "backup", "--data-dir", to)

    def test_a_restored_server_knows_everything_and_goes_on(self):
        server = self.enterContext(Server(self.folder / "data", options=("--checkpoint-interval", "50ms")))
        with Client(server.address) as client:
            dataset = client.upload(WDBC).name
            done = client.wait(client.submit(dataset, diagnosis_spec()).name)
            undisturbed = client.wait(client.submit(dataset, diagnosis_spec(**LONG)).name)
            half = client.datasets.CreateDataset(c.dataset.CreateDatasetRequest()).name
            first = WDBC.read_bytes()[:CHUNK_BYTES]
            client.datasets.WriteDataset(iter([c.dataset.WriteDatasetRequest(
                name=half, offset=0, data=first, crc32c=crc32c(first))]))
            running = client.submit(dataset, diagnosis_spec(**LONG)).name
            eventually(lambda: client.job(running).checkpoint_step > 0, "a checkpoint")
            self.backup(server.data_dir)
            predicted = client.predict(done.model, [[1.0] * 30])
            events = client.events(done.name)
        server.kill()
        copy = self.folder / "copy"
        self.assertEqual(self.restore(copy).returncode, 0)
        other = self.enterContext(Server(copy))
        with Client(other.address) as client:
            self.assertEqual(client.job(done.name), done)
            self.assertEqual(client.events(done.name), events)
            self.assertEqual(client.predict(done.model, [[1.0] * 30]), predicted)
            status = client.datasets.GetUploadStatus(c.dataset.GetUploadStatusRequest(name=half))
            self.assertEqual(status.committed_size_bytes, len(first))
            self.assertEqual(client.write(half, WDBC.read_bytes(), len(first)), WDBC.stat().st_size)
            job = client.wait(running)
            self.assert_succeeded(job)
            self.assertEqual(job.receipt.result_digest, undisturbed.receipt.result_digest)
            self.assertEqual(training_of(client.events(running)), training_of(client.events(undisturbed.name)))
            self.assert_dense(client.events(running))

    def test_a_second_backup_copies_what_is_new_and_drops_what_is_gone(self):
        server = self.enterContext(Server(self.folder / "data"))
        with Client(server.address) as client:
            gone = client.upload(WDBC).name
            self.assertIn("2 of them now", self.backup(server.data_dir))
            self.assertIn("0 of them now", self.backup(server.data_dir))
            kept = client.upload_bytes(b"x,y\n1,2\n3,4\n5,7\n").name
            client.datasets.DeleteDataset(c.dataset.DeleteDatasetRequest(name=gone))
            self.assertIn("2 of them now", self.backup(server.data_dir))
        blobs = [path for path in (self.folder / "backup/blobs").rglob("*") if path.is_file()]
        self.assertEqual(len(blobs), 2)
        self.assertTrue(kept)

    def test_a_damaged_blob_is_told_and_the_rest_is_copied(self):
        server = self.enterContext(Server(self.folder / "data"))
        with Client(server.address) as client:
            dataset = client.upload(WDBC)
            model = client.wait(client.submit(dataset.name, diagnosis_spec()).name).model
            damaged = self.folder / "data/blobs" / dataset.digest[7:9] / dataset.digest[7:]
            damaged.chmod(0o600)
            damaged.write_bytes(b"x" + damaged.read_bytes()[1:])
            result = self.run_server("backup", self.folder / "backup", "--data-dir", server.data_dir)
            self.assertEqual(result.returncode, 1)
            self.assertIn(dataset.digest, result.stderr)
            predicted = client.predict(model, [[1.0] * 30])
        self.assertEqual(self.restore(self.folder / "copy").returncode, 1)  # it says so again
        other = self.enterContext(Server(self.folder / "copy"))
        with Client(other.address) as client:
            self.assertEqual(client.predict(model, [[1.0] * 30]), predicted)

    def test_a_restore_replaces_nothing(self):
        server = self.enterContext(Server(self.folder / "data"))
        self.backup(server.data_dir)
        result = self.restore(server.data_dir)
        self.assertEqual(result.returncode, 1)
        self.assertIn("holds data already", result.stderr)

    def test_what_is_no_data_directory_is_refused(self):
        result = self.run_server("backup", self.folder / "backup", "--data-dir", self.folder / "nowhere")
        self.assertEqual(result.returncode, 1)
        self.assertIn("trainyard.db", result.stderr)

    def test_a_backup_that_was_killed_leaves_the_one_before(self):
        server = self.enterContext(Server(self.folder / "data"))
        with Client(server.address) as client:
            first = client.upload(WDBC).name
            self.backup(server.data_dir)
            client.upload_bytes(b"x,y\n" + b"".join(b"%d,%d\n" % (i, i % 7) for i in range(400000)))
            copying = subprocess.Popen([BIN / "trainyard-server", "backup", self.folder / "backup",
                                        "--data-dir", server.data_dir], stdout=subprocess.DEVNULL)
            tmp = self.folder / "backup/blobs/tmp"
            eventually(lambda: copying.poll() is not None or any(tmp.iterdir()), "it copies a blob")
            os.kill(copying.pid, signal.SIGKILL)
            copying.wait()
        self.assertEqual(self.restore(self.folder / "copy").returncode, 0)
        other = self.enterContext(Server(self.folder / "copy"))
        with Client(other.address) as client:
            self.assertEqual(client.datasets.GetDataset(c.dataset.GetDatasetRequest(name=first)).name, first)
        self.backup(server.data_dir)  # what was cut off does not stand in the way


if __name__ == "__main__":
    unittest.main()
