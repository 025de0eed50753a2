"""Debian's Prometheus beside a server under test, with the configuration that we ship, scraping every second.

    with Prometheus(folder, "127.0.0.1:9400") as prometheus:
        prometheus.query("sum(trainyard_jobs)")      # [({label: value}, number), …]
"""

import json
import pathlib
import re
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request

from support import contract as c
from support.case import eventually

SHIPPED = c.ROOT / "deploy/prometheus"


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def parse(text):
    """{(name, labels as text): value} of the exposition format."""
    samples = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.rpartition(" ")
            name, _, labels = key.partition("{")
            samples[name, labels.rstrip("}")] = float(value)
    return samples


def check_metrics(page):
    """What promtool finds wrong with an exposition page; "" if nothing."""
    check = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
    return "" if check.returncode == 0 else check.stdout + check.stderr


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Prometheus:
    def __init__(self, folder, target):
        self.folder = pathlib.Path(folder) / "prometheus"
        self.target = target
        self.address = f"127.0.0.1:{_free_port()}"
        self.process = None

    def __enter__(self):
        shutil.copytree(SHIPPED, self.folder)
        config = self.folder / "prometheus.yml"
        shipped = config.read_text().replace("127.0.0.1:9400", self.target)
        config.write_text(re.sub(r"(_interval:) \d+s", r"\1 1s", shipped))
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/tsdb",
                 f"--web.listen-address={self.address}"], stdout=log, stderr=log)
        eventually(self._ready, f"Prometheus is ready, its log is {self.folder}/log")
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()

    def _ready(self):
        try:
            return "Ready" in fetch(f"http://{self.address}/-/ready")
        except OSError:
            return False

    def query(self, expression):
        """Now: a list of (labels, value)."""
        return [(each["metric"], float(each["value"][1])) for each in self._results(expression)]

    def samples(self, selector, window):
        """As scraped in the last `window`: a list of (labels, [(time, value), …])."""
        return [(each["metric"], [(time, float(value)) for time, value in each["values"]])
                for each in self._results(f"{selector}[{window}]")]

    def _results(self, expression):
        data = urllib.parse.urlencode({"query": expression}).encode()
        with urllib.request.urlopen(f"http://{self.address}/api/v1/query", data, timeout=10) as answer:
            result = json.load(answer)["data"]
        if result["resultType"] == "scalar":
            return [{"metric": {}, "value": result["result"]}]
        return result["result"]
