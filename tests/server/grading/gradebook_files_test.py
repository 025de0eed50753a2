"""The golden gradebook files as those who import them read them: by the rules of GRADING.md, 3.4, 3.5 and 1.2 step 15."""

import csv
import io
import json
import pathlib
import re
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent / "golden" / "gradebook"
FORMULA = re.compile(r"^[=+\-@\t\r]")


def read(name):
    return (FOLDER / name).read_bytes().decode("utf-8")


def rows_of(name, delimiter=","):
    return list(csv.reader(io.StringIO(read(name).removeprefix("\ufeff"), newline=""), delimiter=delimiter))


class HseTest(unittest.TestCase):
    def test_it_is_what_the_page_downloads(self):
        text = read("hse.csv")
        self.assertTrue(text.startswith("\ufeffФИО,Программа,Накоп,Экзамены,Итог\r\n"))
        self.assertFalse(text.endswith("\n"))
        self.assertNotRegex(text, r"[^\r]\n")
        for name, programme, homework, exams, final in rows_of("hse.csv")[1:]:
            self.assertTrue(name.strip())
            self.assertTrue(programme)
            self.assertRegex(homework, r"^\d+$")
            self.assertRegex(exams, r"^[012]\.\d\d$")
            self.assertRegex(final, r"^(10\.00|\d\.\d\d)$")


class FormulaTest(unittest.TestCase):
    def test_no_text_is_computed(self):
        for name in ("hse.csv", "moodle.csv", "canvas.csv", "nbgrader.csv"):
            for row in rows_of(name)[1:]:
                for cell in row:
                    number = re.match(r"^-?\d+([.,]\d+)?$", cell)
                    self.assertTrue(number or cell == "-" or not FORMULA.match(cell), (name, cell))


class MoodleTest(unittest.TestCase):
    def test_every_line_can_be_matched_and_every_grade_read(self):
        header, *rows = rows_of("moodle.csv")
        self.assertEqual(header[:2], ["username", "email"])
        self.assertEqual(len(header), len(set(header)))
        for row in rows:
            self.assertEqual(len(row), len(header))
            self.assertTrue(row[0] or row[1])
            for title, cell in zip(header[2:], row[2:]):
                if not title.endswith(" feedback"):
                    self.assertRegex(cell, r"^(-?\d+,\d\d)?$")


class CanvasTest(unittest.TestCase):
    def test_it_is_a_gradebook_by_canvas_rules(self):
        # Canvas sniffs the separator; neither may split a cell.
        header, maxima, *rows = rows_of("canvas.csv")
        self.assertIn("Student", header[0])
        self.assertIn("ID", header[1])
        section = max(index for index, title in enumerate(header) if "Section" in title)
        assignments = header[section + 1:]
        self.assertEqual(re.search(r"\((\d+)\)$", assignments[0])[1], "48213")
        self.assertIn("Points Possible", maxima[0])
        self.assertEqual([float(cell) for cell in maxima[section + 1:]], [100, 150])
        for row in rows:
            self.assertEqual(len(row), len(header))
            self.assertTrue(row[1] or row[2] or row[3])
            for cell in row[section + 1:]:
                self.assertTrue(cell == "EX" or float(cell) is not None, "blank would leave what is there")
        self.assertIn("EX", [cell for row in rows for cell in row])
        self.assertIn("0", [cell for row in rows for cell in row])


class NbgraderTest(unittest.TestCase):
    def test_scores_are_what_nbgrader_computes(self):
        rows = list(csv.DictReader(io.StringIO(read("nbgrader.csv"))))
        self.assertEqual(len(rows[0]), 11)
        for row in rows:
            expected = max(0, float(row["raw_score"]) - float(row["late_submission_penalty"]))
            self.assertAlmostEqual(float(row["score"]), expected)
            self.assertIn(float(row["max_score"]), (100, 150))


class JsonTest(unittest.TestCase):
    def test_numbers_are_integers(self):
        def no_float(text):
            raise AssertionError(text)
        document = json.loads(read("gradebook.json"), parse_float=no_float)
        self.assertEqual(len(document["rows"]), 5)
        for row in document["rows"]:
            self.assertEqual(set(row["homeworks"]), {assignment["id"] for assignment in document["assignments"]})


if __name__ == "__main__":
    unittest.main()
