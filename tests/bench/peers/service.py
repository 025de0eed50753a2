"""The command line of a running server, as a script uses it, and what scripts that compare it with peers have in common."""
import argparse
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))
from support import server  # noqa: E402


class Trainyard:
    """Files to upload are written into `folder`, one after another."""

    def __init__(self, address, folder):
        self.address, self.folder = address, folder

    def call(self, *arguments):
        command = [server.BIN / "trainyard", "--server", self.address, "-o", "json", *arguments]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(run.stdout)

    def upload(self, header, rows):
        """`rows` of texts; returns the dataset's name."""
        path = self.folder / "table.csv"
        with open(path, "w", encoding="ascii", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(header)
            writer.writerows(rows)
        return self.call("dataset", "upload", str(path))["name"]

    def train(self, *arguments):
        """Trains to the end; returns the job as it is then."""
        job = self.call("train", *arguments)
        return self.call("job", "wait", job["name"])


def value_of(metrics, name):
    return next(metric["value"] for metric in metrics if metric["name"] == name)


def compare_all(doc, recipes, header, compare):
    """The script of `doc`: prints a table with `header`, and a row of it by compare(name, recipe, args, yard) for each set asked for."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--sets", default=",".join(recipes))
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    sets = args.sets.split(",")
    unknown = [name for name in sets if name not in recipes]
    if unknown:
        parser.error(f"no set {unknown[0]!r}; there are {', '.join(recipes)}")
    print(f"| {' | '.join(header)} |")
    print("|---" * len(header) + "|")
    with tempfile.TemporaryDirectory(prefix="ty-") as folder, server.Server(pathlib.Path(folder) / "data") as running:
        yard = Trainyard(running.address, pathlib.Path(folder))
        for name in sets:
            compare(name, recipes[name], args, yard)
        running.stop()
