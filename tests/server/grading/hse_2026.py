"""The arithmetic of HSE's fintech-dl-hse in 2026, written from the description of its code (steps 5 to 14 of the course's
pipeline), not from ours: binary floating point, text with two decimals, int(x + 0.5). The oracle of hse_parity_test.py."""
import datetime
import re

PREFIX = "fintech-dl-hse-"
# Compared with UTC although the deadline is written for Moscow: 23:59:59 ends at 03:05:00 UTC of the next day.
OFFSET = datetime.timedelta(hours=3, minutes=5, seconds=1)


def parse_points(summary):
    """Step 6: "Points 86/100" -> 86; anything else raises."""
    got, available = summary.split(" ")[1].split("/")
    int(available)
    return int(got)


def parse_repo(repo, homework_ids):
    """Step 7: (homework id, nick)."""
    name = repo[len(PREFIX):]
    homework = next(h for h in homework_ids if name.startswith(h))
    return homework, re.sub(r"-\d+$", "", name[len(homework) + 1:])


def late_days(deadline, completed_at):
    """Steps 8 and 9: `deadline` as in hw-meta.json, `completed_at` in UTC, both naive."""
    seconds = (completed_at - (datetime.datetime.fromisoformat(deadline) + OFFSET)).total_seconds()
    return 0 if seconds <= 0 else min(3, int(seconds // 86400) + 1)


def homework_text(total, maximum):
    """Step 12: the homework grade as it is shown."""
    return "%.2f" % (min(total / maximum, 1) * 8)


def whole(text):
    return int(float(text) + 0.5)


def exam_part(exam_sum):
    """Step 13."""
    return min(exam_sum / 2, 1) * 2


def final_text(whole_homework, exam):
    """Step 14."""
    return "%.2f" % min(whole_homework + exam, 10)


def best_runs(meta, rows, forced_penalty_days):
    """Steps 6 to 10: {(nick, homework): (result, completed_at, days)}."""
    best = {}
    for row in rows:
        if not row["summary"] or row["sender"].endswith("[bot]"):
            continue
        homework, nick = parse_repo(row["repo"], meta)
        days = late_days(meta[homework]["deadline"], row["completed_at"])
        days = forced_penalty_days.get(row["repo"], days)
        result = parse_points(row["summary"]) * (100 - 10 * days) / 100
        key = (nick, homework)
        if key not in best or (result, row["completed_at"]) >= best[key][:2]:
            best[key] = (result, row["completed_at"], days)
    return best


def grades(meta, rows, forced_penalty_days, bonuses, finals, exam_sums):
    """Steps 5 to 14: {nick: (homework text, whole homework, exam text, final text)} of everybody with a row or a bonus."""
    results = {key: best[0] for key, best in best_runs(meta, rows, forced_penalty_days).items()}
    for key, bonus in bonuses.items():
        results[key] = results.get(key, 0) + bonus
    maximum = sum(item["max_points"] for item in meta.values() if not item["bonus"])
    table = {}
    for nick in {nick for nick, _ in results}:
        total = 0.0
        for homework in meta:  # one after the other: sum() of Python 3.12 adds with a correction, that of 3.11 does not
            total += results.get((nick, homework), 0.0)
        text = homework_text(total, maximum)
        exam = exam_part(exam_sums.get(nick, 0.0))
        final = finals[nick] if nick in finals else final_text(whole(text), exam)
        table[nick] = (text, whole(text), "%.2f" % exam, final)
    return table
