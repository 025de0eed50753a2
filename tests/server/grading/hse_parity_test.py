"""Our gradebook against hse_2026.py: every sum of points, and random whole courses, to the last digit.

    TRAINYARD_BIN=build/dev/bin /usr/bin/python3 -B tests/server/grading/hse_parity_test.py
"""
import datetime
import fractions
import math
import os
import random
import subprocess
import unittest

import hse_2026

PRINT = os.path.join(os.environ.get("TRAINYARD_BIN", "build/dev/bin"), "gradebook_print")
EPOCH = datetime.datetime(1970, 1, 1)
SEED = 2026
COURSES = 340
STUDENTS = 300


def ask(lines):
    run = subprocess.run([PRINT], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise AssertionError(run.stderr)
    return run.stdout.splitlines()


def totals(preset, maximum):
    """[(text, whole)] for every sum in hundredths."""
    return [(text, int(whole)) for text, whole in
            (line.split() for line in ask([f"policy {preset}", f"totals {maximum}"]))]


def course_totals(maximum):
    texts = [hse_2026.homework_text(total / 100, maximum) for total in range(maximum * 100 + 1)]
    return [(text, hse_2026.whole(text)) for text in texts]


def half_up_totals(maximum):
    """In fractions: an oracle for EXACT that knows neither floats nor our integers."""
    half = fractions.Fraction(1, 2)
    hundredths = [math.floor(fractions.Fraction(8 * total, maximum) + half) for total in range(maximum * 100 + 1)]
    return [("%d.%02d" % divmod(value, 100), math.floor(fractions.Fraction(value, 100) + half)) for value in hundredths]


class EveryTotal(unittest.TestCase):
    def test_2200_has_no_tie_and_all_three_agree(self):
        course = course_totals(2200)
        self.assertEqual(len(course), 220001)
        self.assertEqual(sum(8 * total % 2200 * 2 == 2200 for total in range(220001)), 0)
        self.assertEqual(totals("hse-2026-exact", 2200), course)
        self.assertEqual(totals("hse", 2200), course)
        self.assertEqual(half_up_totals(2200), course)

    def test_2200_whole_grades_start_where_the_course_says(self):
        wholes = [whole for _, whole in totals("hse", 2200)]
        self.assertEqual([wholes.index(n) for n in range(1, 9)],
                         [13613, 41113, 68613, 96113, 123613, 151113, 178613, 206113])

    def test_2400_ties_differ_from_the_course_in_400_places_and_one_grade(self):
        course = course_totals(2400)
        self.assertEqual(totals("hse-2026-exact", 2400), course)
        exact = totals("hse", 2400)
        self.assertEqual(exact, half_up_totals(2400))
        ties = [total for total in range(240001) if 8 * total % 2400 * 2 == 2400]
        self.assertEqual(len(ties), 800)
        differ = [total for total in range(240001) if exact[total][0] != course[total][0]]
        self.assertEqual(len(differ), 400)
        self.assertLessEqual(set(differ), set(ties))
        for total in differ:
            gap = fractions.Fraction(exact[total][0]) - fractions.Fraction(course[total][0])
            self.assertEqual(gap, fractions.Fraction(1, 100))
        self.assertEqual(sum(exact[total][1] != course[total][1] for total in range(240001)), 1)

    def test_other_denominators_agree_with_both_oracles(self):
        for maximum in (1, 3, 7, 100, 800, 1600, 1999):
            with self.subTest(maximum=maximum):
                self.assertEqual(totals("hse-2026-exact", maximum), course_totals(maximum))
                self.assertEqual(totals("hse", maximum), half_up_totals(maximum))


class Course:
    """A random course: what the oracle and the product each need of it."""

    def __init__(self, rng):
        self.rng = rng
        self.meta = {}
        self.rows, self.runs = [], []
        self.days, self.bonuses, self.finals, self.exam_points = {}, {}, {}, {}
        self.forced = {}
        self.make_meta()
        self.nicks = [self.nick(i) for i in range(STUDENTS)]
        for nick in self.nicks:
            self.make_student(nick)

    @staticmethod
    def nick(index):
        return "s" + "".join(chr(ord("a") + index // 26 ** i % 26) for i in range(3))

    def make_meta(self):
        rng = self.rng
        # 2400 has exact ties, 2200 has none; the others are anything.
        points = rng.choice([[100] * 10 + [200] * 4 + [400], [100] * 12 + [250] * 4, None])
        points = points or [rng.randrange(1, 400) for _ in range(rng.randrange(1, 15))]
        for i, maximum in enumerate(points + [rng.randrange(50, 400) for _ in range(rng.randrange(0, 6))]):
            day = datetime.datetime(2026, 1, 20) + datetime.timedelta(days=rng.randrange(150))
            time = rng.choice([datetime.time(23, 59, 59), datetime.time(12, 0), datetime.time(0, 0)])
            self.meta["hw-%c" % (ord("a") + i)] = {
                "max_points": maximum, "bonus": i >= len(points),
                "deadline": datetime.datetime.combine(day, time).isoformat()}

    def make_student(self, nick):
        for homework in self.meta:
            for _ in range(self.rng.choice([0, 1, 1, 1, 2, 3])):
                self.make_run(nick, homework)
            self.make_decisions(nick, homework)
        if self.rng.random() < 0.7:
            self.exam_points[nick] = [self.rng.randrange(0, 1201) for _ in range(2)]
        if self.rng.random() < 0.02:
            self.finals[nick] = "%d.%02d" % divmod(self.rng.randrange(0, 1001), 100)

    def make_run(self, nick, homework):
        rng, item = self.rng, self.meta[homework]
        points = rng.choice([item["max_points"], rng.randrange(item["max_points"] + 1)])
        late = rng.choice([-500000, -1, 0, 1, 86399, 86400, 86401, 172799, 172800, 172801, 259200, 90 * 86400,
                           rng.randrange(-10 ** 6, 10 ** 6)])
        end = datetime.datetime.fromisoformat(item["deadline"]) + hse_2026.OFFSET
        completed_at = end + datetime.timedelta(seconds=late)
        self.rows.append({"summary": f"Points {points}/{item['max_points']}", "sender": nick,
                          "repo": f"{hse_2026.PREFIX}{homework}-{nick}", "completed_at": completed_at})
        seconds = int((completed_at - EPOCH).total_seconds())
        self.runs.append(f"run r{len(self.runs)} {nick} {homework} {points} {item['max_points']} {seconds}")

    def make_decisions(self, nick, homework):
        if self.rng.random() < 0.03:
            self.forced[(nick, homework)] = self.rng.randrange(0, 7)
        if self.rng.random() < 0.03:
            self.bonuses[(nick, homework)] = self.rng.randrange(1, 100)

    def lines(self):
        yield "policy hse-2026-exact"
        for homework, item in self.meta.items():
            yield f"assignment {homework} {item['max_points']} {int(item['bonus'])} {item['deadline']}"
        yield from (f"student {nick}" for nick in self.nicks)
        yield from self.rng.sample(self.runs, len(self.runs))
        for (nick, homework), days in self.forced.items():
            yield f"adjust {nick} {homework} late_days {days}"
        for (nick, homework), bonus in self.bonuses.items():
            yield f"adjust {nick} {homework} add {bonus}"
        for nick, final in self.finals.items():
            yield f"adjust {nick} - final {final.replace('.', '')}"
        for nick, points in self.exam_points.items():
            yield from (f"exam {nick} exam{i + 3} {value}" for i, value in enumerate(points))
        yield "grades"

    def forced_by_repo(self):
        return {f"{hse_2026.PREFIX}{homework}-{nick}": days for (nick, homework), days in self.forced.items()}

    def grades(self):
        # What the examiners' table says: a decimal number, read as the nearest double.
        sums = {nick: float("%d.%03d" % divmod(sum(points), 1000)) for nick, points in self.exam_points.items()}
        table = hse_2026.grades(self.meta, self.rows, self.forced_by_repo(), self.bonuses, self.finals, sums)
        # The course forgets who has handed in nothing; the product starts from the roster.
        for nick in self.nicks:
            exam = hse_2026.exam_part(sums.get(nick, 0.0))
            final = self.finals.get(nick, hse_2026.final_text(0, exam))
            table.setdefault(nick, ("0.00", 0, "%.2f" % exam, final))
        return table

    def best(self):
        return hse_2026.best_runs(self.meta, self.rows, self.forced_by_repo())


class RandomCourses(unittest.TestCase):
    def test_every_grade_is_the_course_s(self):
        rng = random.Random(SEED)
        graded, late, bonus_capped = 0, 0, 0
        for number in range(COURSES):
            course = Course(rng)
            ours, lines = {}, {}
            for line in ask(course.lines()):
                kind, nick, *fields = line.split()
                if kind == "grade":
                    ours[nick] = (fields[0], int(fields[1]), fields[2], fields[3])
                else:
                    lines[(nick, fields[0])] = fields[1:]
            expected = course.grades()
            with self.subTest(seed=SEED, course=number):
                self.assertEqual(ours, expected)
            for key, (result, _, days) in course.best().items():
                _, units, centipoints = lines[key]
                expected_centipoints = round(result * 100) + course.bonuses.get(key, 0) * 100
                self.assertEqual((int(units), int(centipoints)), (days, expected_centipoints), (number, key))
                late += days > 0
            graded += len(ours)
            bonus_capped += sum(text == "8.00" for text, *_ in ours.values())
        # The test means something only if the cases are there.
        self.assertGreaterEqual(graded, 100_000)
        self.assertGreater(late, 100_000)
        self.assertGreater(bonus_capped, 100)


if __name__ == "__main__":
    unittest.main()
