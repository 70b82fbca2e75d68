"""A hub of models in memory, over real HTTP, for the real `huggingface_hub`.

It has what https://huggingface.co/docs/hub/api says of repositories of models: create,
look up, list, download, and a commit of several files. All files are "regular", whose
bytes are part of the commit, as those below 10 MB are on the hub.
"""

import base64
import contextlib
import hashlib
import http.server
import json
import threading
import types
import urllib.parse

import huggingface_hub.constants
import yaml

TOKEN = "hf_of_the_tests"


class Hub:
    """Repositories: `commits[name]` is a list of `(message, {path: bytes})`.

    `private` and `gated` are sets of names, `read_only` says that the token may not
    write, and `broken` that commits fail, as those of a hub in trouble.
    """

    def __init__(self):
        self.commits, self.private, self.gated = {}, set(), set()
        self.read_only = self.broken = False
        self.requests = []

    def files(self, name):
        """The files of the last commit."""
        return self.commits[name][-1][1]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet, which nobody waits for

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        parts = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).split("/")
        self.hub.requests.append((self.command, self.path))
        knows = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if parts[1:] == ["api", "validate-yaml"]:
            return self.validate(json.loads(body)["content"])
        if parts[1:] == ["api", "repos", "create"]:
            return self.create(json.loads(body), knows)
        api = parts[1:3] == ["api", "models"]
        name = "/".join(parts[3:5] if api else parts[1:3])
        what, rest = (parts[5:6], parts[6:]) if api else (parts[3:4], parts[4:])
        if name not in self.hub.commits or (name in self.hub.private and not knows):
            return self.refuse(404 if knows else 401, "RepoNotFound")
        if name in self.hub.gated:
            return self.refuse(403, "GatedRepo")
        if what in (["preupload"], ["commit"]):
            return self.commit(name, what == ["commit"], body, knows)
        commits = self.hub.commits[name]
        shas = [_sha(name, place) for place in range(len(commits))]
        revision = rest[0] if rest else "main"
        if revision not in ("main", *shas):
            return self.refuse(404, "RevisionNotFound")
        place = len(shas) - 1 if revision == "main" else shas.index(revision)
        sha, files = shas[place], commits[place][1]
        if what == ["resolve"]:
            return self.download(sha, files, "/".join(rest[1:]))
        if what == ["tree"]:
            entries = [
                {"type": "file", "path": path, "size": len(data), "oid": _oid(data)}
                for path, data in files.items()
            ]
            return self.reply(entries)
        siblings = [{"rfilename": path} for path in files]
        private = name in self.hub.private
        facts = {"id": name, "sha": sha, "private": private, "siblings": siblings}
        return self.reply(facts)

    def validate(self, content):
        try:
            facts = yaml.safe_load(content.split("---\n")[1])
        except (yaml.YAMLError, IndexError) as error:
            return self.reply({"errors": [{"message": str(error)}]}, 400)
        errors = []
        if not isinstance(facts.get("license", ""), str):
            errors.append({"message": '"license" must be a string'})
        self.reply({"errors": errors, "warnings": []}, 400 if errors else 200)

    def create(self, asked, knows):
        if not knows:
            return self.refuse(401, None, "Invalid username or password.")
        if self.hub.read_only:
            return self.refuse(403, None, "You don't have the rights to create a model")
        name = f"{asked['organization']}/{asked['name']}"
        url = {"url": f"http://{self.headers['Host']}/{name}"}
        if name in self.hub.commits:
            return self.reply(url, 409)
        self.hub.commits[name] = [("initial commit", {".gitattributes": b"*.h5 lfs"})]
        if asked.get("visibility") == "private":
            self.hub.private.add(name)
        return self.reply(url)

    def commit(self, name, commits, body, knows):
        if not knows or self.hub.read_only:
            return self.refuse(403, None, "You don't have the rights to write")
        if not commits:
            modes = {"uploadMode": "regular", "shouldIgnore": False}
            asked = json.loads(body)["files"]
            return self.reply({"files": [{"path": f["path"], **modes} for f in asked]})
        if self.hub.broken:
            return self.refuse(500, None, "Internal error")
        lines = [json.loads(line) for line in body.splitlines()]
        files = dict(self.hub.files(name))
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                message, last = (
                    value["summary"],
                    _sha(name, len(self.hub.commits[name]) - 1),
                )
                if value.get("parentCommit", last) != last:
                    return self.refuse(412, None, "A commit has happened since.")
            elif line["key"] == "deletedFile":
                del files[value["path"]]
            else:
                files[value["path"]] = base64.b64decode(value["content"])
        self.hub.commits[name].append((message, files))
        sha = _sha(name, len(self.hub.commits[name]) - 1)
        self.reply(
            {"commitUrl": f"{self.hub.endpoint}/{name}/commit/{sha}", "commitOid": sha}
        )

    def download(self, sha, files, path):
        if path not in files:
            return self.refuse(404, "EntryNotFound")
        headers = {"X-Repo-Commit": sha, "ETag": f'"{_oid(files[path])}"'}
        self.send(files[path], 200, headers)

    def refuse(self, status, code, message="No."):
        headers = {"X-Error-Code": code} if code else {}
        self.send(b"", status, {**headers, "X-Error-Message": message})

    def reply(self, value, status=200):
        headers = {"Content-Type": "application/json"}
        self.send(json.dumps(value).encode(), status, headers)

    def send(self, data, status, headers):
        self.send_response(status)
        for key, value in {**headers, "Content-Length": len(data)}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _sha(name, place):
    return hashlib.sha1(f"{name} {place}".encode()).hexdigest()


def _oid(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextlib.contextmanager
def run_hub(monkeypatch, cache, token=TOKEN):
    """Runs a `Hub` that `huggingface_hub` talks to, with `cache` for its downloads."""
    hub = Hub()
    handler = types.new_class("Handler", (_Handler,), exec_body=None)
    handler.hub = hub
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    constants = huggingface_hub.constants
    url = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(
        constants.ENDPOINT, hub.endpoint
    )
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HF_TOKEN", token)
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
