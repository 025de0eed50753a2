"""What a job sees of GitHub: its identity tokens, and the REST API of workflow runs and checks in the shapes that docs.github.com has.

    with GitHub(issuer) as github:
        run(step, env=github.environment())
        github.checks = [{"id": 7, "name": "Autograding"}]     # check runs of the job's suite
        github.updates                                          # [(id of the check, body)]
"""

import http.server
import json
import threading
import urllib.parse

RUN_ID, SUITE_ID, REPOSITORY = 987654, 5551, "hse/hw-a-ann"
REQUEST_TOKEN, JOB_TOKEN = "identity-request-token", "ghs_job-token"


class GitHub:
    def __init__(self, issuer):
        self.issuer = issuer
        self.claims = {}  # beside the usual ones
        self.checks = []
        self.updates = []
        self.requests = []

    def __enter__(self):
        github = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                github.answer(self, b"")

            def do_PATCH(self):
                github.answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *unused):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.http.shutdown()
        self.http.server_close()

    def environment(self, identity=True):
        """As a runner sets it; `identity`: the job has id-token: write."""
        own = {"GITHUB_API_URL": self.url, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_RUN_ID": str(RUN_ID)}
        return {**own, "ACTIONS_ID_TOKEN_REQUEST_URL": self.url + "/identity?api-version=2.0",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN} if identity else own

    def answer(self, handler, body):
        url = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        token = handler.headers.get("Authorization", "").partition(" ")[2]
        self.requests.append((handler.command, handler.path))
        code, document = self.identity(query, token) if url.path == "/identity" else \
            self.rest(handler.command, url.path.removeprefix(f"/repos/{REPOSITORY}/").split("/"), query, token, body)
        data = json.dumps(document).encode()
        handler.send_response(code)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def identity(self, query, token):
        if token != REQUEST_TOKEN or query.get("api-version") != "2.0":
            return 401, {"message": "Unauthorized"}
        value = self.issuer.token(**{"aud": query["audience"], "run_id": str(RUN_ID), **self.claims})
        return 200, {"count": len(value), "value": value}

    def rest(self, method, path, query, token, body):
        if token != JOB_TOKEN:
            return 401, {"message": "Bad credentials"}
        if (method, path) == ("GET", ["actions", "runs", str(RUN_ID)]):
            return 200, {"id": RUN_ID, "name": "CI", "check_suite_id": SUITE_ID,
                         "check_suite_url": f"{self.url}/repos/{REPOSITORY}/check-suites/{SUITE_ID}"}
        if (method, path) == ("GET", ["check-suites", str(SUITE_ID), "check-runs"]):
            found = [check for check in self.checks if query.get("check_name", check["name"]) == check["name"]]
            return 200, {"total_count": len(found), "check_runs": [
                {**check, "status": "in_progress", "conclusion": None, "check_suite": {"id": SUITE_ID},
                 "output": {"title": None, "summary": None}} for check in found]}
        if method == "PATCH" and path[0] == "check-runs" and int(path[1]) in [check["id"] for check in self.checks]:
            self.updates.append((int(path[1]), json.loads(body)))
            return 200, {"id": int(path[1])}
        return 404, {"message": "Not Found"}
