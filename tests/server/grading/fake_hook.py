#!/usr/bin/python3
"""A receiver of check runs that behaves like the course's (GRADING.md, 1.2): it looks a signature up by its exact name and answers
404 when it is wrong; reads exactly four fields; takes a null summary for ""; its page computes `summary.split(' ')[1]` and ints around
"/", and is down as a whole when one row is odd.

  fake_hook.py PORT_FILE SECRET [BEHAVIOUR...]

Each POST takes the next behaviour; none left: `ok`.
  ok          as the hook does
  CODE        answers so, storing nothing
  lost        stores, then closes the connection without an answer
  hang        stores nothing and does not answer
  busy        503 with Retry-After: 1
  flood       stores, answers 200 and more bytes than anybody wants
  moved       301 to itself
Paths: POST /hook; POST /lti takes scores as a platform does (409 unless the second is a later one). GET /log: what was stored, a JSON
document a line; GET /page: best points by student; GET /sent: how many POSTs came. It ends when its stdin does. With HOOK_PEM it
speaks TLS, with the key and certificate of that file. HOOK_HOMEWORKS: ids that the page knows (default: hw-a,hw-b); it is down over any other.
"""
import hashlib
import hmac
import http.server
import json
import os
import re
import ssl
import sys
import threading
import time

PREFIX = "fintech-dl-hse-"
HOMEWORKS = os.environ.get("HOOK_HOMEWORKS", "hw-a,hw-b").split(",")
SECRET = sys.argv[2].encode()
BEHAVIOURS = sys.argv[3:]
LOCK = threading.Lock()
STORED, SCORES, SENT = [], [], []


def handle_check_run(headers, body):
    # The real one indexes a dict: another spelling of the name is a KeyError, so a 500.
    names = {name: value for name, value in headers.items()}
    expected = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, names["X-Hub-Signature-256"]):
        return 404
    event = json.loads(body)
    summary = event["check_run"]["output"]["summary"]
    row = {"delivery": names.get("X-GitHub-Delivery"), "event": names.get("X-GitHub-Event"), "sender": event["sender"]["login"],
           "repository": event["repository"]["name"], "summary": "" if summary is None else summary,
           "completed_at": event["check_run"]["completed_at"], "body": body.decode()}
    STORED.append(row)
    return 200


def handle_score(headers, body):
    if headers["Authorization"] != "Bearer " + SECRET.decode():
        return 401
    if headers["Content-Type"] != "application/vnd.ims.lis.v1.score+json":
        return 415
    score = json.loads(body)
    second = score["timestamp"][:19]
    if any(other["userId"] == score["userId"] and other["timestamp"][:19] >= second for other in SCORES):
        return 409
    SCORES.append(score)
    return 200


def page():
    best = {}
    # The real one reads no id of a delivery: what comes twice is harmless because the best counts.
    for row in STORED:
        if row["summary"] == "" or row["sender"].endswith("[bot]"):
            continue
        got, available = row["summary"].split(" ")[1].split("/")
        got, _ = int(got), int(available)
        time.strptime(row["completed_at"], "%Y-%m-%dT%H:%M:%SZ")
        homework = max((name for name in HOMEWORKS if row["repository"][len(PREFIX):].startswith(name)), key=len)
        student = re.sub(r"-\d+$", "", row["repository"][len(PREFIX) + len(homework) + 1:])
        best[(student, homework)] = max(best.get((student, homework), 0), got)
    return "".join(f"{student} {homework} {points}\n" for (student, homework), points in sorted(best.items()))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body=b"", headers=()):
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with LOCK:
            texts = {"/log": "".join(json.dumps(row) + "\n" for row in STORED), "/page": page(), "/sent": str(len(SENT)),
                     "/scores": "".join(json.dumps(score) + "\n" for score in SCORES)}
        self.answer(200, texts[self.path].encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        take = handle_score if self.path.startswith("/lti") else handle_check_run
        with LOCK:
            SENT.append(self.path)
            behaviour = BEHAVIOURS.pop(0) if BEHAVIOURS else "ok"
            code = take(self.headers, body) if behaviour in ("ok", "lost", "flood") else 0
        self.close_connection = behaviour in ("lost", "hang", "flood")
        if behaviour == "hang":
            time.sleep(60)
        elif behaviour == "lost":
            self.connection.close()
        elif behaviour == "flood":
            self.answer(code, b"x" * (4 << 20))
        elif behaviour == "busy":
            self.answer(503, headers=[("Retry-After", "1")])
        elif behaviour == "moved":
            self.answer(301, headers=[("Location", self.path)])
        else:
            self.answer(int(code or behaviour))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # a client that goes away in the middle is part of the test


def main():
    server = Server(("127.0.0.1", 0), Handler)
    if "HOOK_PEM" in os.environ:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["HOOK_PEM"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    temporary = sys.argv[1] + ".new"
    with open(temporary, "w") as file:
        file.write(str(server.server_address[1]))
    os.rename(temporary, sys.argv[1])
    sys.stdin.read()


main()
