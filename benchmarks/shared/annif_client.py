"""Annif, with a project whose `http` backend asks a server of ours."""

import json
import os
import subprocess
from pathlib import Path

from benchmarks.shared.environments import make_environment

PROJECT = """[{name}]
name={name}
language={language}
backend=http
vocab={name}
endpoint={url}/v1/projects/{name}/suggest
"""


def install_annif(folder):
    """Installs Annif into an environment of its own; returns the path of the program.

    Raises:
        NotInstalled: pip has failed.
    """
    return make_environment(folder, "annif") / "annif"


class AnnifClient:
    """Annif's commands, with one project.

    Args:
        program: path of Annif.
        folder: path of an empty folder for its data.
        url: string. The server.
        name: string. The model there, and the project here.
        language: string. Defaults to `"en"`.
    """

    def __init__(self, program, folder, url, name, language="en"):
        self.program, self.folder, self.name = program, Path(folder), name
        settings = {"name": name, "language": language, "url": url}
        (self.folder / "projects.cfg").write_text(PROJECT.format(**settings))

    def run(self, *arguments, text=""):
        """Runs a command; returns its standard output, and error."""
        names = ("PYTHONPATH", "ANNIF_PROJECTS", "ANNIF_DATADIR", "ANNIF_CONFIG")
        environment = {k: x for k, x in os.environ.items() if k not in names}
        done = subprocess.run(
            [self.program, *map(str, arguments)],
            cwd=self.folder,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"annif {arguments[0]}: {done.stderr[-2000:]}")
        return done.stdout, done.stderr

    def load_vocabulary(self, path):
        """Loads a vocabulary, such as one in SKOS or `uri,label_en`."""
        return self.run("load-vocab", self.name, path)

    def suggest(self, text, limit=10):
        """The labels of a text: a list of `(uri, title, score)`."""
        said, _ = self.run("suggest", "--limit", limit, self.name, text=text)
        rows = [line.split("\t") for line in said.splitlines()]
        return [(row[0].strip("<>"), row[1], float(row[-1])) for row in rows]

    def evaluate(self, path):
        """The metrics on a corpus, a dictionary; and what Annif logged."""
        found = self.folder / "metrics.json"
        _, logged = self.run("eval", "--metrics-file", found, self.name, path)
        return json.loads(found.read_text()), logged


def write_corpus(path, texts, uris):
    """Writes a corpus of short texts: `text<TAB><uri> <uri>`."""
    rows = [
        f"{' '.join(text.split())}\t{' '.join(f'<{uri}>' for uri in found)}\n"
        for text, found in zip(texts, uris)
    ]
    Path(path).write_text("".join(rows), encoding="utf-8")
