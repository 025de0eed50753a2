#!/usr/bin/python3
"""Gradebook files of export_gradebook_test.cc's course, made without our code: golden/gradebook/.

Run: /usr/bin/python3 tests/server/grading/golden/make_gradebook.py

hse.csv follows the course's page: csvCell quotes what has one of " , CR LF ; and rows are joined by CRLF after a byte order mark. The
others are written by Python's csv and json.
"""
import csv
import io
import json
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent / "gradebook"

ASSIGNMENTS = [("hw-mlp", "MLP, training", 100, "2027-02-10 20:59:59"), ("hw-opt", "hw-opt", 150, "")]
IDS = ["github_login", "email", "canvas_id", "sis_user_id", "sis_login_id", "section", "lti_user_id"]


def homework(centipoints=0, penalty=0, late=0, exempt=False, submission="", receipt="", accepted=""):
    return dict(centipoints=centipoints, penalty_centipoints=penalty, late_units=late, exempt=exempt, submission=submission,
                receipt=receipt, accepted_at=accepted)


def person(student, name, programme, group, ids, homeworks, total, hw, exam, final):
    return dict(student=student, full_name=name, programme=programme, group=group, external=dict(zip(IDS, ids)), homeworks=homeworks,
                total_centipoints=total, homework_hundredths=hw, exam_hundredths=exam, final_hundredths=final)


ROWS = [
    person("u1", "Орлова Мария Петровна", "ФТиАД", "1", ["m-orlova", "m.orlova@edu.example", "77120", "st20261", "m.orlova", "DL-1", "5323497"],
           [homework(8600, 0, 0, submission="s1", receipt="ab12", accepted="2027-02-10 18:42:07"),
            homework(630, 70, 1, submission="s2", receipt="cd34", accepted="2027-03-01 00:00:00")], 9230, 800, 200, 1000),
    person("u2", "=HYPERLINK(\"http://evil\")", "", "2", ["a-first", "-x@y", "77121", "st20262", "@login", "DL;1", ""],
           [homework(exempt=True), homework()], 0, 0, 0, 0),
    person("u3", "Петров, \"Иван\"", "-dash", "", ["p2", "", "", "", "", "", ""],
           [homework(10005, 4288, 3, submission="s3", receipt="ef56", accepted="2027-02-14 10:00:00"), homework(0, 0, 0)], 10005, 300, 35, 335),
    person("u4", "  ", "X", "", ["z", "z@edu.example", "", "", "", "", ""], [homework(), homework()], 0, 0, 0, 0),
    person("u5", "", "", "", ["", "", "", "st5", "", "", ""], [homework(1, 0), homework(-150, 0)], -149, 750, 5, 755),
]


def guard(text):
    return "'" + text if text[:1] in tuple("=+-@\t\r") and text else text


def two(hundredths):
    return f"{hundredths / 100:.2f}"


def short(hundredths):
    return two(hundredths).rstrip("0").rstrip(".")


def hse():
    def cell(text):
        return '"' + text.replace('"', '""') + '"' if re.search(r'[",\r\n;]', text) else text
    rows = [["ФИО", "Программа", "Накоп", "Экзамены", "Итог"]]
    for row in sorted(ROWS, key=lambda row: row["external"]["github_login"]):
        if row["full_name"].strip():
            rows.append([guard(row["full_name"]), guard(row["programme"]) or "-", short(row["homework_hundredths"]),
                         two(row["exam_hundredths"]), two(row["final_hundredths"])])
    return "\ufeff" + "\r\n".join(",".join(map(cell, row)) for row in rows)


def table(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def moodle():
    rows = [["username", "email"] + [text for id, *_ in ASSIGNMENTS for text in (id, id + " feedback")]]
    for row in ROWS:
        ids = row["external"]
        if not (ids["sis_login_id"] or ids["email"]):
            continue
        cells = [guard(ids["sis_login_id"]), guard(ids["email"])]
        for one in row["homeworks"]:
            late = f", late: {one['late_units']}" if one["late_units"] else ""
            feedback = "exempt" if one["exempt"] else f"receipt {one['receipt']}{late}" if one["receipt"] else ""
            cells += ["" if one["exempt"] else two(one["centipoints"]).replace(".", ","), feedback]
        rows.append(cells)
    return table(rows)


def canvas():
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "MLP, training (48213)", "hw-opt"],
            ["    Points Possible", "", "", "", ""] + [str(points) for _, _, points, _ in ASSIGNMENTS]]
    for row in ROWS:
        ids = row["external"]
        if ids["canvas_id"] or ids["sis_user_id"] or ids["sis_login_id"]:
            rows.append([guard(row["full_name"])] + [guard(ids[key]) for key in ("canvas_id", "sis_user_id", "sis_login_id", "section")] +
                        ["EX" if one["exempt"] else short(one["centipoints"]) for one in row["homeworks"]])
    # Canvas takes semicolons for separators when it sees them outside quotes; csv alone would not quote them.
    return table(rows).replace("DL;1", '"DL;1"')


def nbgrader():
    rows = ["assignment duedate timestamp student_id last_name first_name email raw_score late_submission_penalty score max_score".split()]
    for index, (id, _, points, due) in enumerate(ASSIGNMENTS):
        for row in ROWS:
            last, _, first = row["full_name"].strip().partition(" ")
            one = row["homeworks"][index]
            if one["exempt"]:
                continue
            raw = (one["centipoints"] + one["penalty_centipoints"]) / 100
            penalty = one["penalty_centipoints"] / 100
            score = max(0, one["centipoints"]) / 100
            rows.append([id, due, one["accepted_at"], row["student"], guard(last), guard(first), guard(row["external"]["email"]), raw, penalty,
                         score, float(points)])
    return table(rows)


def document():
    stamp = lambda text: text.replace(" ", "T") + ".000000Z" if text else ""
    rows = []
    for row in ROWS:
        homeworks = {id: dict(one, accepted_at=stamp(one["accepted_at"])) for (id, *_), one in zip(ASSIGNMENTS, row["homeworks"])}
        rows.append(dict(row, homeworks=homeworks))
    value = {"course": "dl", "policy_version": 3, "as_of_sequence": 77, "digest": "sha256:00", "rows": rows,
             "assignments": [dict(id=id, title=title, max_points=points, due=stamp(due)) for id, title, points, due in ASSIGNMENTS]}
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, text in (("hse.csv", hse()), ("moodle.csv", moodle()), ("canvas.csv", canvas()), ("nbgrader.csv", nbgrader()),
                       ("gradebook.json", document())):
        (FOLDER / name).write_bytes(text.encode())


if __name__ == "__main__":
    main()
