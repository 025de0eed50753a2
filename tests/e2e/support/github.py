"""What a job sees of GitHub: its identity tokens, and the REST API of workflow runs and checks in the shapes that docs.github.com has.

    with GitHub(issuer) as github:
        run(step, env=github.environment())
        github.checks = [{"id": 7, "name": "Autograding"}]     # check runs of the job's suite
        github.updates                                          # [(id of the check, body)]
"""

import json
import urllib.parse

from support.json_service import JsonService

RUN_ID, SUITE_ID, REPOSITORY = 987654, 5551, "hse/hw-a-ann"
REQUEST_TOKEN, JOB_TOKEN = "identity-request-token", "ghs_job-token"


class GitHub(JsonService):
    METHODS = ("GET", "PATCH")

    def __init__(self, issuer):
        self.issuer = issuer
        self.claims = {}  # beside the usual ones
        self.repository_id = "42"  # as the runner says it
        self.checks = []
        self.updates = []
        self.requests = []

    def environment(self, identity=True):
        """As a runner sets it; `identity`: the job has id-token: write."""
        own = {"GITHUB_API_URL": self.url, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_REPOSITORY_ID": self.repository_id,
               "GITHUB_RUN_ID": str(RUN_ID)}
        return {**own, "ACTIONS_ID_TOKEN_REQUEST_URL": self.url + "/identity?api-version=2.0",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN} if identity else own

    def answer(self, request, body):
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        token = request.headers.get("Authorization", "").partition(" ")[2]
        self.requests.append((request.command, request.path))
        if url.path == "/identity":
            return self.identity(query, token)
        return self.rest(request.command, url.path.removeprefix(f"/repos/{REPOSITORY}/").split("/"), query, token, body)

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
