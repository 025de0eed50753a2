"""Files of deploy/ for programs that are not here (Docker, Kubernetes, Grafana, systemd): that they parse, and agree with us."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BIN = pathlib.Path(os.environ.get("TRAINYARD_BIN", "build/dev/bin")).resolve()
# name:1.2.3, never a tag that moves.
PINNED = re.compile(r"^[a-z0-9./-]+:v?\d+\.\d+[a-z0-9.-]*$")
# Of systemd-analyze security; 10 is no protection at all.
EXPOSURE_MAX = 2.0


def load(path):
    return list(yaml.safe_load_all((DEPLOY / path).read_text()))


def default_ports():
    """{flag: port} of the server's addresses, as its help says."""
    text = subprocess.run([BIN / "trainyard-server", "--help"], capture_output=True, text=True, check=True).stdout
    return {flag: int(port) for flag, port in re.findall(r"--((?:metrics-)?listen)\b[^\n]*?127\.0\.0\.1:(\d+)", text)}


class EveryFileTest(unittest.TestCase):
    def test_all_yaml_parses(self):
        files = [*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.yml")]
        files = [path for path in files if "node_modules" not in path.parts]
        self.assertGreaterEqual(len(files), 9)
        for path in files:
            with self.subTest(path=path):
                self.assertTrue(all(document is not None for document in yaml.safe_load_all(path.read_text())))

    def test_the_configuration_is_one(self):
        accepted = subprocess.run([BIN / "trainyard-server", "expired", "--config", DEPLOY / "trainyard.toml", "--data-dir",
                                   "/nonexistent"], capture_output=True, text=True)
        self.assertNotIn("config", accepted.stderr)
        self.assertIn("/nonexistent", accepted.stderr)


class ComposeTest(unittest.TestCase):
    def setUp(self):
        [self.compose] = load("compose.yaml")

    def test_every_service_is_pinned_limited_and_watched(self):
        for name, service in self.compose["services"].items():
            with self.subTest(service=name):
                self.assertRegex(service["image"], PINNED)
                self.assertLessEqual({"cpus", "memory", "pids"}, set(service["deploy"]["resources"]["limits"]))
                self.assertIn("test", service["healthcheck"])
                self.assertEqual(service["cap_drop"], ["ALL"])
                self.assertEqual(service["restart"], "unless-stopped")

    def test_nothing_is_published_to_other_machines(self):
        published = [port for service in self.compose["services"].values() for port in service.get("ports", [])]
        self.assertTrue(all(port.startswith("127.0.0.1:") for port in published), published)
        self.assertIn(f"127.0.0.1:{default_ports()['listen']}:{default_ports()['listen']}", published)

    def test_what_is_mounted_is_there(self):
        for service in self.compose["services"].values():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                there = (DEPLOY / source).exists() if source.startswith(".") else source in self.compose["volumes"]
                self.assertTrue(there, source)

    def test_who_depends_on_whom_is_there(self):
        for service in self.compose["services"].values():
            self.assertLessEqual(set(service.get("depends_on", {})), set(self.compose["services"]))

    def test_grafana_finds_data_source_and_dashboards(self):
        grafana = self.compose["services"]["grafana"]
        [sources], [providers] = load("grafana/provisioning/datasources/trainyard.yaml"), load(
            "grafana/provisioning/dashboards/trainyard.yaml")
        self.assertEqual(sources["datasources"][0]["url"], "${PROMETHEUS_URL}")
        self.assertIn("PROMETHEUS_URL", grafana["environment"])
        folder = providers["providers"][0]["options"]["path"]
        self.assertIn(f"./grafana/dashboards:{folder}:ro", grafana["volumes"])


class DockerfileTest(unittest.TestCase):
    def setUp(self):
        text = (DEPLOY / "Dockerfile").read_text()
        self.lines = [line for line in text.replace("\\\n", "").splitlines() if line and not line.startswith("#")]

    def values(self, instruction):
        return [line.split(maxsplit=1)[1] for line in self.lines if line.startswith(instruction + " ")]

    def test_bases_are_pinned_and_the_user_is_not_root(self):
        bases = [value.split()[0] for value in self.values("FROM")]
        self.assertEqual(len(bases), 2)
        for base in bases:
            self.assertRegex(base, PINNED)
        self.assertEqual(self.values("USER"), ["10001"])

    def test_ports_are_the_servers(self):
        ports = default_ports()
        self.assertEqual(self.values("EXPOSE"), [f"{ports['listen']} {ports['metrics-listen']}"])
        self.assertIn(f'"0.0.0.0:{ports["listen"]}"', self.values("ENTRYPOINT")[0])

    def test_the_image_has_every_library_that_the_binaries_need(self):
        [run] = [value for value in self.values("RUN") if "install -q -y" in value]
        installed = closure(re.findall(r"\blib\S+", run.split("--no-install-recommends")[1].split("&&")[0]) + ["libc6", "libstdc++6"])
        binaries = [BIN / name for name in ("trainyard-server", "trainyard-worker", "trainyard")]
        for library, packages in packages_of(needed(binaries)).items():
            self.assertTrue(packages & installed, f"{library} of {packages} is not in the image")


def needed(binaries):
    text = subprocess.run(["readelf", "-d", *binaries], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"NEEDED.*\[(.*)\]", text))


def packages_of(libraries):
    """{library: names of packages that have a file of this name}"""
    found = subprocess.run(["dpkg-query", "-S", *(f"*/{library}" for library in libraries)], capture_output=True, text=True).stdout
    packages = {library: set() for library in libraries}
    for line in found.splitlines():
        package, _, path = line.rpartition(": ")
        packages[pathlib.PurePath(path).name].add(package.split(":")[0])
    return packages


def closure(packages):
    """The packages and all they depend on, as installed here."""
    text = subprocess.run(["dpkg-query", "-W", "-f", "${Package}|${Depends}\n"], capture_output=True, text=True, check=True).stdout
    depends = {name: re.findall(r"([a-z0-9][a-z0-9+.-]+)(?::\w+)?(?: \([^)]*\))?", wanted)
               for name, _, wanted in (line.partition("|") for line in text.splitlines())}
    known, left = set(), list(packages)
    while left:
        package = left.pop()
        if package not in known:
            known.add(package)
            left += depends.get(package, [])
    return known


class GithubActionTest(unittest.TestCase):
    """What it does is in tests/e2e/action_test.py."""

    def setUp(self):
        [self.action] = load("github-action/action.yml")
        self.steps = self.action["runs"]["steps"]

    def test_it_runs_nobody_elses_code(self):
        self.assertEqual(self.action["runs"]["using"], "composite")
        for step in self.steps:
            self.assertNotIn("uses", step)

    def test_inputs_reach_scripts_by_the_environment_only(self):
        passed = {"update-check"}  # a condition
        for step in self.steps:
            self.assertNotIn("${{", step["run"])
            values = [re.fullmatch(r"\$\{\{ (inputs|steps\.grade\.outputs)\.([a-z-]+) \}\}", value) for value in step["env"].values()]
            passed |= {value[2] for value in values if value[1] == "inputs"}
            for variable in set(step["env"]) - {"TRAINYARD_SERVER"}:  # trainyard reads it
                self.assertRegex(step["run"], r"\$\{?" + variable + r"\b")
        self.assertEqual(passed, set(self.action["inputs"]))

    def test_outputs_are_the_steps(self):
        for name, output in self.action["outputs"].items():
            self.assertEqual(output["value"], "${{ steps.%s.outputs.%s }}" % (self.steps[0]["id"], name))
        # GitHub does not tell upper from lower case here.
        self.assertEqual(len({name.lower() for name in self.action["outputs"]}), len(self.action["outputs"]))

    def test_the_script_calls_the_command_line_with_what_it_was_given(self):
        for at_least, expected in (("", []), ("0.92; rm x", ["--at-least", "0.92; rm x"])):
            with tempfile.TemporaryDirectory() as folder:
                called = pathlib.Path(folder) / "trainyard"
                called.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
                called.chmod(0o755)
                ran = subprocess.run(["bash", "-c", self.steps[0]["run"]], capture_output=True, text=True, check=True,
                                     env={"PATH": f"{folder}:/usr/bin:/bin", "ASSIGNMENT": "courses/c/assignments/a b", "TOKEN": "a token",
                                          "AUDIENCE": "", "SPEC": "$(touch x).yaml", "AT_LEAST": at_least, "PUBLIC_KEY": ""})
                self.assertEqual(ran.stdout.splitlines(),
                                 ["::add-mask::a token", "grade", "--assignment", "courses/c/assignments/a b", "--spec",
                                  "$(touch x).yaml", "--wait", "--github"] + expected)


class KubernetesTest(unittest.TestCase):
    def setUp(self):
        self.service, self.workload = load("kubernetes/trainyard.yaml")
        [self.monitor] = load("kubernetes/monitoring.yaml")
        self.pod = self.workload["spec"]["template"]["spec"]
        [self.container] = self.pod["containers"]

    def test_one_replica_with_a_volume_of_its_own(self):
        self.assertEqual(self.workload["kind"], "StatefulSet")
        self.assertEqual(self.workload["spec"]["replicas"], 1)
        claims = {claim["metadata"]["name"] for claim in self.workload["spec"]["volumeClaimTemplates"]}
        volumes = claims | {volume["name"] for volume in self.pod["volumes"]}
        self.assertEqual({mount["name"] for mount in self.container["volumeMounts"]}, volumes)

    def test_pinned_limited_and_not_root(self):
        self.assertRegex(self.container["image"], PINNED)
        self.assertLessEqual({"cpu", "memory"}, set(self.container["resources"]["limits"]))
        self.assertTrue(self.pod["securityContext"]["runAsNonRoot"])
        self.assertFalse(self.container["securityContext"]["allowPrivilegeEscalation"])

    def test_ports_and_probes_are_the_servers(self):
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        self.assertEqual(ports, {"grpc": default_ports()["listen"], "metrics": default_ports()["metrics-listen"]})
        for probe in ("startupProbe", "readinessProbe"):
            self.assertEqual(self.container[probe]["grpc"]["port"], ports["grpc"])
        self.assertIn(self.container["livenessProbe"]["httpGet"]["port"], ports)

    def test_selectors_find_the_pod_and_the_service(self):
        labels = self.workload["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(self.service["spec"]["selector"], labels)
        self.assertEqual(self.workload["spec"]["selector"]["matchLabels"], labels)
        self.assertEqual(self.monitor["spec"]["selector"]["matchLabels"], self.service["metadata"]["labels"])

    def test_the_monitor_scrapes_as_prometheus_yml_does(self):
        [prometheus] = load("prometheus/prometheus.yml")
        ports = {port["name"] for port in self.service["spec"]["ports"]}
        monitored = {}
        for endpoint in self.monitor["spec"]["endpoints"]:
            self.assertIn(endpoint["port"], ports)
            monitored[endpoint["relabelings"][0]["replacement"]] = (endpoint["path"], endpoint["interval"])
        wanted = {scrape["job_name"]: (scrape.get("metrics_path", "/metrics"),
                                       scrape.get("scrape_interval", prometheus["global"]["scrape_interval"]))
                  for scrape in prometheus["scrape_configs"]}
        self.assertEqual(monitored, wanted)


@unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd-analyze")
class SystemdTest(unittest.TestCase):
    def test_the_unit_is_right_and_hardened(self):
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder) / "trainyard-server.service"
            # verify looks for the program.
            unit.write_text((DEPLOY / unit.name).read_text().replace("/usr/local/bin/trainyard-server", "/bin/true"))
            verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
            self.assertEqual((verified.returncode, verified.stderr), (0, ""))
            said = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit], capture_output=True, text=True)
            exposure = re.search(r"exposure level for \S+ (\d+\.\d+)", said.stdout)
            self.assertIsNotNone(exposure, said.stdout + said.stderr)
            self.assertLessEqual(float(exposure[1]), EXPOSURE_MAX)


class DashboardsTest(unittest.TestCase):
    def test_they_are_what_their_source_makes(self):
        with tempfile.TemporaryDirectory() as folder:
            made = subprocess.run([DEPLOY / "grafana/generate.sh", folder], capture_output=True, text=True)
            self.assertEqual(made.returncode, 0, made.stdout + made.stderr)
            generated = {path.name: path.read_text() for path in pathlib.Path(folder).iterdir()}
        committed = {path.name: path.read_text() for path in (DEPLOY / "grafana/dashboards").iterdir()}
        self.assertEqual(generated.keys(), committed.keys())
        for name, text in generated.items():
            self.assertEqual(text, committed[name], f"{name} is old: run deploy/grafana/generate.sh")

    def test_titles_and_links_are_sound(self):
        dashboards = [json.loads(path.read_text()) for path in (DEPLOY / "grafana/dashboards").iterdir()]
        uids = {dashboard["uid"] for dashboard in dashboards}
        self.assertEqual(len(uids), len(dashboards))
        for dashboard in dashboards:
            titles = [panel["title"] for panel in dashboard["panels"]]
            self.assertEqual(len(titles), len(set(titles)), dashboard["title"])
            self.assertEqual(dashboard["annotations"]["list"][0]["name"], "Restarts")
            self.assertLessEqual(set(re.findall(r"/d/([a-z-]+)", json.dumps(dashboard))), uids)


class AlertsTest(unittest.TestCase):
    def setUp(self):
        [rules], [tests] = load("prometheus/alerts.yml"), load("prometheus/alerts_test.yml")
        self.alerts = rules["groups"][0]["rules"]
        self.cases = [case for test in tests["tests"] for case in test.get("alert_rule_test", [])]

    def test_each_says_what_it_is_and_what_to_do(self):
        for alert in self.alerts:
            self.assertEqual(set(alert["annotations"]), {"summary", "description", "runbook"}, alert["alert"])
            self.assertIn(alert["labels"]["severity"], ("info", "warning", "critical"))

    def test_each_is_shown_firing_and_not_firing(self):
        for alert in self.alerts:
            fires = {bool(case["exp_alerts"]) for case in self.cases if case["alertname"] == alert["alert"]}
            self.assertEqual(fires, {True, False}, alert["alert"])


if __name__ == "__main__":
    unittest.main()
