"""The server in a separate process."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time

from tests.helpers.project import PROJECT


class Server:
    """The program, with its `url`, its gRPC `address` and its `process`."""

    def __init__(self, folder, log, *arguments, program=("export/serve.py",)):
        self.log = log
        command = [sys.executable, *program, str(folder), "--rest-port", "0"]
        command += ["--grpc-port", "0", "--poll-seconds", "0.2", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        with open(log, "wb") as stderr:
            self.process = subprocess.Popen(
                command, cwd=PROJECT, env=environment, stderr=stderr
            )

    def wait_for(self, pattern):
        deadline = time.monotonic() + 100
        while not (match := re.search(pattern, self.said())):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)
        return match

    def said(self):
        return self.log.read_text("utf-8")

    def ready(self):
        self.wait_for("in production use TensorFlow Serving\n")
        self.url = self.wait_for(r"Page for people: (http://127.0.0.1:\d+)/\n")[1]
        if match := re.search(r"gRPC: (\S+), model name", self.said()):
            self.address = match[1]
        return self

    def connect(self):
        host = self.url.removeprefix("http://")
        return contextlib.closing(http.client.HTTPConnection(host, timeout=60))

    def get(self, path):
        with self.connect() as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()

    def states(self, name="m"):
        status, body = self.get(f"/v1/models/{name}")
        assert status == 200
        return {
            int(x["version"]): (x["state"], x["status"]["error_code"])
            for x in json.loads(body)["model_version_status"]
        }

    def stop(self, number=signal.SIGTERM):
        """Sends a signal; returns the exit status and how long it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(60), time.monotonic() - began
