"""What a job leaves for other programs and for the eye: event files of TensorBoard, CSV, JSON lines, pictures, and the two
views that take the whole terminal. Event files are read by the documented formats alone (TFRecord framing, protobuf field
numbers), with a CRC of this test's own, and compared with ListJobEvents."""

import collections
import csv
import io
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from cli_test import INTERRUPTED, LONG_TRAINING, OK, REFUSED, USAGE, CliTest
from support import contract as c
from support.case import WDBC, eventually
from support.client import Client, crc32c

ALTERNATE_SCREEN, MAIN_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"


def masked_crc(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    """The records of an event file; both CRCs of each must be right. A record that is being written is left out."""
    at, found = 0, []
    while at + 12 <= len(data):
        size, size_crc = struct.unpack_from("<QI", data, at)
        assert masked_crc(data[at:at + 8]) == size_crc, f"size at {at}"
        if at + 16 + size > len(data):
            break
        record = data[at + 12:at + 12 + size]
        assert struct.unpack_from("<I", data, at + 12 + size)[0] == masked_crc(record), f"data at {at}"
        found.append(record)
        at += 16 + size
    return found


def fields(message):
    """{field number: [value, …]} of a protobuf message; fixed-size numbers stay bytes."""
    at, found = 0, collections.defaultdict(list)

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        kind = key & 7
        size = {1: 8, 5: 4}.get(kind)
        if kind == 0:
            value = varint()
        else:
            size = varint() if kind == 2 else size
            value = message[at:at + size]
            at += size
        found[key >> 3].append(value)
    return found


def double(data):
    return struct.unpack("<d", data)[0]


def doubles(data):
    return list(struct.unpack(f"<{len(data) // 8}d", data))


def single(value):
    """As the format rounds it."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


class EventFile:
    """The newest state of a run's only event file, as TensorBoard has it: a session's start forgets what is from its step on."""

    def __init__(self, folder):
        (self.path,) = folder.glob("events.out.tfevents.*")
        self.scalars, self.histograms = [], []  # (tag, step, wall time, …)
        first, *rest = records(self.path.read_bytes())
        assert fields(first)[3] == [b"brain.Event:2"], first
        for record in rest:
            self.add(fields(record))

    def add(self, event):
        wall_time, step = double(event[1][0]), event[2][0] if event[2] else 0
        if event[7]:  # SessionLog
            assert fields(event[7][0])[1] == [1], "START"
            self.scalars = [scalar for scalar in self.scalars if scalar[1] < step]
            self.histograms = [histogram for histogram in self.histograms if histogram[1] < step]
            return
        for value in map(fields, fields(event[5][0])[1]):
            tag = value[1][0].decode()
            if value[2]:
                self.scalars.append((tag, step, wall_time, struct.unpack("<f", value[2][0])[0]))
            else:
                histogram = fields(value[5][0])
                self.histograms.append((tag, step, wall_time, *(double(histogram[n][0]) for n in range(1, 6)),
                                        doubles(histogram[6][0]), doubles(histogram[7][0])))


def metric_scalars(metrics, split):
    return [(f"{metric.name}/{split}", metric.value) for metric in metrics]


def numbers_of(event):
    """[(run, step or None, [(tag, value)])] that an event says."""
    kind = event.WhichOneof("kind")
    if kind == "step":
        step = event.step
        return [(step.run, step.step + 1, [("loss/batch", step.loss), ("learning_rate", step.learning_rate),
                                           ("gradient_norm", step.gradient_norm)])]
    if kind == "epoch":
        epoch = event.epoch
        names = ("weight_norm", "gradient_norm", "update_ratio", "dead_unit_fraction", "saturated_fraction")
        layers = [(f"{layer.name}/{name}", getattr(layer, name)) for layer in epoch.layers for name in names]
        return [(epoch.run, epoch.steps_done, [("loss/train", epoch.train_loss), *metric_scalars(epoch.validation, "validation"),
                                               ("learning_rate", epoch.learning_rate), *layers])]
    if kind == "evaluation":
        return [(event.evaluation.run, event.evaluation.steps_done,
                 metric_scalars(event.evaluation.validation, "validation"))]
    if kind == "test":
        runs = enumerate(event.test.seed_results)
        return [(None, None, metric_scalars(event.test.metrics, "test")),
                *((run, None, metric_scalars(result.test_metrics, "test")) for run, result in runs)]
    return []


def expected_scalars(events, several_runs=False):
    """{run: [(tag, step, wall time, value)]} of a log without rewinds. None is the job as a whole, and all of a job with one run."""
    runs, step = collections.defaultdict(list), 0
    for event in events:
        for run, steps_done, numbers in numbers_of(event):
            step = steps_done or step
            time_of = event.create_time.seconds + event.create_time.nanos / 1e9
            runs[run if several_runs else None] += [(tag, step, time_of, single(value)) for tag, value in numbers]
    return runs


def expected_histograms(events):
    found = []
    for event in events:
        for layer in event.epoch.layers:
            for name in ("weights", "gradients"):
                histogram = getattr(layer, name)
                if not histogram.counts:
                    continue
                width = histogram.max - histogram.min
                ends = [histogram.min + width * (i + 1) / len(histogram.counts) for i in range(len(histogram.counts))]
                found.append((f"{layer.name}/{name}", event.epoch.steps_done,
                              event.create_time.seconds + event.create_time.nanos / 1e9, histogram.min, histogram.max,
                              float(sum(histogram.counts)), histogram.sum, histogram.sum_of_squares, ends,
                              [float(count) for count in histogram.counts]))
    return found


class ExportTest(CliTest):
    def finished(self, *options):
        """A short job: its name and its events."""
        job = self.submit(self.upload(), "--hidden", "8,4", "--epochs", "6", "--seed", "3", "--step-event-interval", "2",
                          "--layer-records", "histograms", *options)
        self.run_cli("job", "wait", job)
        return job, self.events(job)

    def events(self, job):
        with Client(self.server.address) as client:
            return client.events(job)

    def assert_same_scalars(self, found, expected):
        """As a whole equal; wall times to a microsecond, which is what a double holds of today."""
        self.assertEqual([scalar[:2] + scalar[3:] for scalar in found], [scalar[:2] + scalar[3:] for scalar in expected])
        for one, other in zip(found, expected):
            self.assertAlmostEqual(one[2], other[2], places=5)


class TensorBoardTest(ExportTest):
    def test_every_number_of_the_log_is_in_the_event_file(self):
        job, events = self.finished("--evaluation-interval", "5")
        folder = self.folder / "runs" / "first"
        run = self.run_cli("job", "export-tensorboard", job, folder)
        self.assertIn("tensorboard --logdir", run.stderr)
        file = EventFile(folder)
        self.assert_same_scalars(file.scalars, expected_scalars(events)[None])
        self.assertEqual([h[:2] + h[3:] for h in file.histograms], [h[:2] + h[3:] for h in expected_histograms(events)])
        tags = {scalar[0] for scalar in file.scalars}
        self.assertLessEqual({"loss/batch", "loss/train", "loss/validation", "accuracy/validation", "loss/test",
                              "learning_rate", "gradient_norm"}, tags)

    def test_a_folder_with_event_files_is_refused_and_stays(self):
        job, _ = self.finished()
        folder = self.folder / "runs"
        self.run_cli("job", "export-tensorboard", job, folder)
        before = {path: path.read_bytes() for path in folder.iterdir()}
        run = self.run_cli("job", "export-tensorboard", job, folder, expect=USAGE)
        self.assertIn("has event files already", run.stderr)
        self.assertEqual({path: path.read_bytes() for path in folder.iterdir()}, before)
        self.run_cli("job", "export-tensorboard", "none", self.folder / "other", expect=REFUSED)
        self.assertFalse((self.folder / "other").exists())

    def test_seeds_are_runs_of_their_own(self):
        job, events = self.finished("--seeds", "2")
        folder = self.folder / "runs"
        self.run_cli("job", "export-tensorboard", job, folder)
        expected = expected_scalars(events, several_runs=True)
        for run, sub_folder in ((None, folder), (0, folder / "run_0"), (1, folder / "run_1")):
            self.assertTrue(expected[run], run)
            self.assert_same_scalars(EventFile(sub_folder).scalars, expected[run])

    def test_following_writes_while_the_job_runs(self):
        job = self.submit(self.upload(), *LONG_TRAINING)
        folder = self.folder / "runs"
        follower = subprocess.Popen(self.command("job", "export-tensorboard", job, folder, "--follow"),
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def newest_step():
            files = list(folder.glob("events*")) if folder.exists() else []
            scalars = EventFile(folder).scalars if files and files[0].stat().st_size > 100 else []
            return scalars[-1][1] if scalars else 0

        first = eventually(newest_step, "the first numbers")
        eventually(lambda: newest_step() > first, "more numbers while it runs")
        self.run_cli("job", "cancel", job)
        out, err = follower.communicate(timeout=60)
        self.assertEqual(follower.returncode, REFUSED, out + err)  # as a watch of a cancelled job
        self.assert_same_scalars(EventFile(folder).scalars, expected_scalars(self.events(job))[None])


class HistoryTest(ExportTest):
    def test_csv_has_every_number_with_all_digits(self):
        job, events = self.finished()
        rows = list(csv.DictReader(io.StringIO(self.run_cli("job", "history", job).stdout)))
        expected = [(event.sequence, run, dict(numbers)) for event in events for run, _, numbers in numbers_of(event)]
        self.assertEqual(len(rows), len(expected))
        for row, (sequence, run, numbers) in zip(rows, expected):
            self.assertEqual((int(row["sequence"]), row["run"]), (sequence, "" if run is None else str(run)))
            self.assertEqual({tag: float(row[tag]) for tag in numbers}, numbers)
            others = set(row) - set(numbers) - {"sequence", "time", "kind", "run", "step"}
            self.assertEqual({row[tag] for tag in others}, {""} if others else set())

    def test_json_lines_are_the_log(self):
        job, events = self.finished()
        path = self.folder / "history.jsonl"
        run = self.run_cli("job", "history", job, "--format", "jsonl", "-f", path)
        self.assertIn(f"{len(events)} events to {path}", run.stderr)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        self.assertEqual([int(line["sequence"]) for line in lines], [event.sequence for event in events])
        losses = [line["epoch"]["train_loss"] for line in lines if "epoch" in line]
        self.assertEqual(losses, [event.epoch.train_loss for event in events if event.HasField("epoch")])
        self.assertEqual(self.run_cli("-o", "json", "job", "history", job).stdout, path.read_text())


class PictureTest(ExportTest):
    def test_curves_become_a_picture_file(self):
        job, _ = self.finished()
        self.run_cli("job", "plot", job, "-o", self.folder / "curve.svg", "--log")
        svg = (self.folder / "curve.svg").read_text()
        self.assertTrue(svg.startswith("<?xml"))
        self.assertIn("validation", svg)
        self.run_cli("job", "plot", job, job, "-f", self.folder / "curve.png")
        self.assertTrue((self.folder / "curve.png").read_bytes().startswith(b"\x89PNG"))
        run = self.run_cli("job", "plot", job, "-o", self.folder / "curve.pdf", expect=USAGE)
        self.assertIn("neither .svg nor .png", run.stderr)

    def test_layers_are_shown_when_there_are_records(self):
        job, events = self.finished()
        self.assertTrue(any(event.epoch.layers for event in events), "the job records its layers")
        self.assertIn("WEIGHT NORM", self.run_cli("job", "layers", job).stdout)

    def test_without_a_terminal_there_is_one_last_picture(self):
        job, _ = self.finished()
        run = self.run_cli("job", "watch", job, job, "--plot", "--log")
        self.assertEqual(run.stdout.count("── train"), 2)
        self.assertIn("SUCCEEDED epoch 6/6", run.stdout)
        self.assertNotIn("\x1b", run.stdout)
        self.run_cli("job", "watch", job, job, expect=USAGE)


class Terminal:
    """A command on a terminal of 100 columns and 30 lines."""

    def __init__(self, command):
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(self.master, (30, 100))
        self.slave = slave  # kept open: its settings are looked at afterwards
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        self.shown = b""

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.shown += os.read(self.master, 65536)
        return self.shown

    def press(self, key):
        os.write(self.master, key)

    def end(self):
        """The exit code; everything shown is in `shown`."""
        deadline = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read()  # a full terminal would hold the command up
            time.sleep(0.01)
        self.read()
        return self.process.wait(timeout=1)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class FullScreenTest(ExportTest):
    def terminal(self, *arguments):
        terminal = Terminal(self.command(*arguments))
        self.addCleanup(terminal.close)
        return terminal

    def assert_given_back(self, terminal):
        """The other screen was left, and keys are read as before."""
        # What a process wrote may come out of a terminal a little after its end.
        eventually(lambda: MAIN_SCREEN in terminal.read(), "the main screen")
        self.assertEqual(terminal.shown.count(ALTERNATE_SCREEN), 1)
        self.assertEqual(terminal.shown.count(MAIN_SCREEN), 1)
        self.assertLess(terminal.shown.index(ALTERNATE_SCREEN), terminal.shown.index(MAIN_SCREEN))
        self.assertIn(b"\x1b[?25h", terminal.shown)
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)

    def running(self):
        job = self.submit(self.upload(), *LONG_TRAINING)
        with Client(self.server.address) as client:
            eventually(lambda: client.job(job).state == c.job.JOB_STATE_RUNNING, "it runs")
        return job

    def test_top_shows_running_and_queued_jobs_and_q_leaves(self):
        running = self.running().split("/")[1].encode()
        queued = self.submit(self.upload(), *LONG_TRAINING).split("/")[1].encode()
        terminal = self.terminal("top")
        eventually(lambda: running in terminal.read() and queued in terminal.read(), "both jobs")
        self.assertNotEqual(termios.tcgetattr(terminal.slave), terminal.before)
        eventually(lambda: terminal.read().count(b"\x1b[H") > 2, "it is drawn again")
        terminal.press(b"q")
        self.assertEqual(terminal.end(), OK)
        self.assert_given_back(terminal)

    def test_top_gives_the_terminal_back_when_interrupted(self):
        terminal = self.terminal("top")
        eventually(lambda: b"QUEUE" in terminal.read(), "the page")
        # Ctrl-Z would leave the shell on the other screen.
        self.assertEqual(termios.tcgetattr(terminal.slave)[6][termios.VSUSP], b"\0")
        terminal.process.send_signal(signal.SIGINT)
        self.assertEqual(terminal.end(), INTERRUPTED)
        self.assert_given_back(terminal)

    def test_top_without_a_terminal_is_one_screen_of_text(self):
        job = self.running()
        for arguments in (("top",), ("top", "-n", "1")):
            out = self.run_cli(*arguments).stdout
            self.assertIn(job.split("/")[1], out)
            self.assertNotIn("\x1b", out)
        info, running, pending = map(json.loads, self.run_cli("-o", "json", "top").stdout.splitlines())
        self.assertEqual(info["worker_slots"], 1)
        self.assertEqual(running["training_jobs"][0]["name"], job)
        self.assertEqual(pending["training_jobs"], [])

    def test_a_plotted_watch_draws_in_place_and_leaves_its_last_picture(self):
        job = self.running()
        terminal = self.terminal("job", "watch", job, "--plot")
        eventually(lambda: "── train".encode() in terminal.read().replace(b"\x1b[0m", b"")
                   and terminal.read().count(b"\x1b[H") > 2, "a curve")
        self.run_cli("job", "cancel", job)
        self.assertEqual(terminal.end(), REFUSED)
        self.assert_given_back(terminal)
        eventually(lambda: b"CANCELLED epoch" in terminal.read().partition(MAIN_SCREEN)[2], "the last picture")
        self.assertIn(job.split("/")[1].encode(), terminal.shown.partition(MAIN_SCREEN)[2])

    def test_leaving_a_plotted_watch_leaves_the_job_alone(self):
        job = self.running()
        terminal = self.terminal("job", "watch", job, "--plot")
        eventually(lambda: terminal.read().count(b"\x1b[H") > 2, "pictures")
        terminal.press(b"q")
        self.assertEqual(terminal.end(), INTERRUPTED)
        self.assert_given_back(terminal)
        self.assertEqual(self.json_of("job", "get", job)["state"], "JOB_STATE_RUNNING")


if __name__ == "__main__":
    unittest.main()
