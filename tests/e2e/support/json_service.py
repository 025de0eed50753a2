"""Other people's services, as far as tests need them: HTTP on a free port of this machine, answers in JSON.

    class Clock(JsonService):
        METHODS = ("GET",)

        def answer(self, request, body):
            return 200, {"time": time.time()}

    with Clock() as clock:
        urllib.request.urlopen(clock.url)
"""

import http.server
import json
import threading


class JsonService:
    METHODS = ()  # others are answered with 501
    http = None
    url = ""

    def __enter__(self):
        service = self

        def serve(request):
            body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
            code, document = service.answer(request, body)
            data = json.dumps(document).encode()
            request.send_response(code)
            request.send_header("Content-Type", "application/json")
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            request.wfile.write(data)

        handler = type("Handler", (http.server.BaseHTTPRequestHandler,),
                       {"log_message": lambda *unused: None, **{f"do_{method}": serve for method in self.METHODS}})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.http.shutdown()
        self.http.server_close()

    def answer(self, request, body):
        """(code, document) for a request of http.server, whose body is read already."""
        raise NotImplementedError
