"""The golden documents of grade_formats as those who take them read them (GRADING.md, 3.1 to 3.3)."""

import base64
import json
import pathlib
import re
import unittest
import xml.etree.ElementTree

FOLDER = pathlib.Path(__file__).resolve().parent / "golden" / "grade_formats"


def text_of(name):
    return (FOLDER / name).read_bytes().decode("utf-8")


class GradescopeTest(unittest.TestCase):
    def test_every_document_keeps_the_rules(self):
        for path in FOLDER.glob("gradescope*.json"):
            with self.subTest(path=path.name):
                document = json.loads(path.read_bytes())
                self.assertIsInstance(document["score"], int)
                self.assertIn(document["output_format"], ("text", "html", "simple_format", "md", "ansi"))
                self.assertIn(document["visibility"], ("visible", "hidden", "after_due_date", "after_published"))
                for test in document["tests"]:
                    self.assertIn(test["status"], ("passed", "failed"))
                    self.assertLessEqual(test["score"], test["max_score"])
                self.assertEqual(document["score"], sum(test["score"] for test in document["tests"]))

    def test_the_leaderboard_knows_which_way_is_up(self):
        orders = {name: json.loads(text_of(name))["leaderboard"][0].get("order", "desc")
                  for name in ("gradescope.json", "gradescope_rmse.json")}
        self.assertEqual(orders, {"gradescope.json": "desc", "gradescope_rmse.json": "asc"})


class JUnitTest(unittest.TestCase):
    def test_counts_are_those_of_the_cases(self):
        for path in FOLDER.glob("junit*.xml"):
            with self.subTest(path=path.name):
                root = xml.etree.ElementTree.fromstring(path.read_bytes())
                [suite] = root.findall("testsuite")
                cases = suite.findall("testcase")
                for element in (root, suite):
                    self.assertEqual(int(element.get("tests")), len(cases))
                    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                        self.assertEqual(int(element.get(attribute)), len(suite.findall(f"testcase/{tag}")))
                if suite.get("timestamp"):
                    self.assertRegex(suite.get("timestamp"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")

    def test_outcomes_are_what_they_should_be(self):
        tags = {"junit.xml": {"failure"}, "junit_withheld.xml": {"skipped"}, "junit_ungradable.xml": {"failure"},
                "junit_infra.xml": {"error"}, "junit_error.xml": {"error"}}
        for name, expected in tags.items():
            root = xml.etree.ElementTree.fromstring(text_of(name))
            self.assertEqual({child.tag for child in root.findall(".//testcase/*")}, expected, name)

    def test_points_stand_in_the_properties_only_when_they_are_told(self):
        def properties(name):
            root = xml.etree.ElementTree.fromstring(text_of(name))
            return {element.get("name"): element.get("value") for element in root.iter("property")}
        self.assertEqual(properties("junit.xml"), {"points": "86", "max_points": "100", "receipt": "ab12"})
        self.assertEqual(properties("junit_withheld.xml"), {"receipt": "ab12"})

    def test_text_comes_through(self):
        root = xml.etree.ElementTree.fromstring(text_of("junit.xml"))
        self.assertIn('accuracy <linear> "0.80" & more', [case.get("name") for case in root.iter("testcase")])


class GithubTest(unittest.TestCase):
    def test_commands_are_one_a_line(self):
        for path in FOLDER.glob("github*.txt"):
            if path.name == "github_outputs.txt":
                continue
            for line in path.read_bytes().decode().split("\n")[:-1]:
                self.assertRegex(line, r"^::(notice|error) title=[A-Za-z ]+::[^\r\n]+$")

    def test_the_report_is_json(self):
        [report] = re.findall(r"title=Autograding report::(.*)", text_of("github.txt"))
        self.assertEqual(json.loads(report), {"totalPoints": 86, "maxPoints": 100})

    def test_outputs_are_lines_of_names_and_values(self):
        pairs = dict(line.split("=", 1) for line in text_of("github_outputs.txt").splitlines())
        self.assertEqual(pairs, {"points": "86", "max-points": "100", "receipt": "ab12"})


class ReporterTest(unittest.TestCase):
    def test_its_table_and_its_points_agree(self):
        document = json.loads(base64.b64decode(text_of("reporter.txt"), validate=True))
        # What the reporter's table shows for an entry is all of its points, or none.
        shown = sum(test["score"] for test in document["tests"] if test["status"] == "pass")
        self.assertEqual(shown, sum(test["score"] for test in document["tests"]))
        self.assertEqual((shown, document["max_score"]), (86, 100))
        withheld = json.loads(base64.b64decode(text_of("reporter_withheld.txt"), validate=True))
        self.assertEqual((withheld["status"], withheld["max_score"]), ("error", 0))
        self.assertNotIn("pass", [test["status"] for test in withheld["tests"]])


class Classroom50Test(unittest.TestCase):
    def test_scores_are_integers_that_add_up(self):
        document = json.loads(text_of("classroom50.json"))
        self.assertEqual(document["schema"], "classroom50/result/v1")
        self.assertEqual(document["score"], sum(test["score"] for test in document["tests"]))
        self.assertEqual(document["max-score"], sum(test["max-score"] for test in document["tests"]))
        self.assertEqual(document["datetime"], "2027-02-10T18:40:55Z")
        self.assertEqual(json.loads(text_of("classroom50_withheld.json"))["tests"], [])


if __name__ == "__main__":
    unittest.main()
