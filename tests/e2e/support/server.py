"""A real trainyard-server with its workers, on free ports, in a data directory of its own.

    with Server(data_dir) as server:
        server.kill()      # SIGKILL, as a crash
        server.start()     # again, on the same data
        server.stop()      # SIGTERM; fails unless it exits with 0

The folder of the binaries comes from TRAINYARD_BIN.
"""

import os
import pathlib
import signal
import subprocess
import time

BIN = pathlib.Path(os.environ.get("TRAINYARD_BIN", "build/dev/bin")).resolve()
START_SECONDS = 60
STOP_SECONDS = 60


class Server:
    def __init__(self, data_dir, workers=1, options=(), listen="127.0.0.1:0"):
        self.data_dir = pathlib.Path(data_dir)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.workers = workers
        self.options = list(options)
        self.listen = listen
        self.log_path = self.data_dir.parent / (self.data_dir.name + ".log")
        self.address = ""
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(f"--- last lines of {self.log_path}\n{self.log()[-4000:]}")
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def start(self):
        """Returns once the server says where it listens."""
        address_file = self.data_dir.parent / (self.data_dir.name + ".address")
        address_file.unlink(missing_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [BIN / "trainyard-server", "--listen", self.listen, "--metrics-listen", "127.0.0.1:0",
                 "--data-dir", self.data_dir, "--workers", str(self.workers), "--print-address", address_file,
                 *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not (address_file.exists() and address_file.read_text().strip()):
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()[-4000:]}")
            if time.monotonic() > deadline:
                raise AssertionError(f"the server is not up after {START_SECONDS} s:\n{self.log()[-4000:]}")
            time.sleep(0.01)
        self.address = address_file.read_text().split()[0]
        self.listen = self.address  # a restart is found where the first one was
        return self.address

    def kill(self):
        """SIGKILL to the server alone; its workers must end by themselves."""
        self.process.kill()
        self.process.wait()

    def terminate(self):
        """SIGTERM, without waiting."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """SIGTERM; the server must end with 0."""
        self.terminate()
        code = self.process.wait(timeout=STOP_SECONDS)
        if code != 0:
            raise AssertionError(f"the server ended with {code} after SIGTERM:\n{self.log()[-4000:]}")

    def log(self):
        return self.log_path.read_text(errors="replace")

    def worker_pids(self):
        """Processes whose parent is the server now."""
        pids = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                text = stat.read_text()
            except OSError:
                continue  # it ended meanwhile
            if int(text.rpartition(")")[2].split()[1]) == self.process.pid:
                pids.append(int(stat.parent.name))
        return sorted(pids)
