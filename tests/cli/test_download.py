import http.server
import io
import logging
import re
import tarfile
import threading

import numpy as np
import pytest
import scipy.sparse

from tests.helpers.lock_holder import another_process_writes
from tests.helpers.project import PROJECT
from xmc_keras.data.documents import read_documents
from xmc_keras.data.downloads import benchmark_sets
from xmc_keras.data.downloads.benchmark_sets import SETS
from xmc_keras.data.downloads.fetch import fetch
from xmc_keras.files.bad_input import BadInput

TEXTS = {"trn": ["red rose", "old oak", "sea", "sky"], "tst": ["sun", "rose"]}
ROWS = {
    "trn": [[1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]],
    "tst": [[1, 0, 0], [0, 1, 1]],
}
SET = SETS["eurlex4k"]._replace(train=4, test=2, labels=3, labels_a_document=1.25)


def archive(texts=TEXTS):
    """A PECOS archive: the needed files and others."""
    files = {"output-items.txt": b"warm\nbig plant\nblue\n"}
    for part, rows in ROWS.items():
        files[f"X.{part}.txt"] = "\n".join(texts[part]).encode()
        content = io.BytesIO()
        scipy.sparse.save_npz(content, scipy.sparse.csr_matrix(rows, dtype=np.float32))
        files[f"Y.{part}.npz"] = content.getvalue()
        files[f"tfidf-attnxml/X.{part}.npz"] = b"of no use here"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as members:
        for name, content in files.items():
            member = tarfile.TarInfo(f"xmc-base/eurlex-4k/{name}")
            member.size = len(content)
            members.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def host(monkeypatch):
    """A server of `host.content`; `host.asked` lists the Range headers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked, content = self.headers.get("Range"), server.content
            server.asked.append(asked)
            begin = int(re.search(r"\d+", asked)[0]) if asked and server.ranges else 0
            if not self.path.endswith("eurlex-4k.tar.gz"):
                return self.send_error(404)
            if asked and begin >= len(content):
                return self.send_error(416)
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            self.wfile.write(content[begin : server.breaks_off])

        def log_message(self, *words):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.asked, server.ranges = archive(), [], True
    server.breaks_off = None
    server.url = f"http://127.0.0.1:{server.server_port}/{{}}.tar.gz"
    monkeypatch.setattr(benchmark_sets, "ARCHIVE", server.url)
    monkeypatch.setitem(SETS, "eurlex4k", SET)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def download(call, tmp_path, caplog):
    caplog.set_level(logging.INFO)

    def download(*arguments):
        places = ["eurlex4k", "--data", tmp_path / "data"]
        return call("download", *places, *arguments, tensorflow=False)

    return download


def test_a_set_is_downloaded_and_checked(host, download, tmp_path, caplog):
    result = download()
    assert result.status == 0, result.stderr
    folder = tmp_path / "data/Eurlex-4K"
    train = read_documents(folder, "train")
    assert train.texts == TEXTS["trn"]
    assert train.labels == [["warm", "big_plant"], ["big_plant"], ["blue"], ["warm"]]
    assert read_documents(folder, "test").texts == TEXTS["tst"]
    assert "documents of the train part: 4, in the paper 4" in caplog.text
    assert "xmc fit eurlex4k" in caplog.text
    names = {path.name for path in (tmp_path / "data/downloads/eurlex-4k").iterdir()}
    assert "output-items.txt" in names and len(names) == 5
    again = download()  # nothing is left to do
    assert (again.status, again.stdout) == (0, result.stdout)
    assert f"{folder} is finished" in caplog.text
    assert download("--check", folder).status == 0
    pecos = tmp_path / "data/downloads/eurlex-4k"
    assert download("--check", pecos).status == 0
    assert len(host.asked) == 1
    (folder / "summary.json").write_text("{")
    assert "Expected the summary of prepared data" in download().stderr
    (folder / "summary.json").unlink()
    result = download()
    assert result.status == 2 and "Expected no folder of this set yet" in result.stderr


def test_two_downloads_at_once(download, tmp_path):
    with another_process_writes(tmp_path / "data/downloads/eurlex-4k") as process:
        result = download()
    assert result.status == 2 and f"process {process.pid} on " in result.stderr
    assert "or choose another with --data." in result.stderr


def test_another_set_is_reported(host, download, tmp_path, monkeypatch):
    wrong = SET._replace(train=5, labels=9, labels_a_document=1.3)
    monkeypatch.setitem(SETS, "eurlex4k", wrong)
    result = download()
    assert result.status == 2
    assert re.search(
        "Eurlex-4K: Expected the set of the paper .* Received: 4 documents of the "
        "train part, not 5; 3 labels, not 9; 1.25 labels a document, not 1.3",
        result.stderr,
    )


def test_a_document_that_cannot_be_used_is_counted(host, download, tmp_path, caplog):
    host.content = archive(TEXTS | {"trn": ["red rose", "", "sea", "sky"]})
    result = download()
    # Without it there are 4 labels in 3 documents instead of 1.25 per document.
    assert "error: " in result.stderr and "1.33 labels a document" in result.stderr
    assert "documents of the train part: 4, in the paper 4" in caplog.text
    assert "train: 1 documents left out. The first: " in caplog.text


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_transfer_is_resumed(host, download, tmp_path, ranges):
    host.ranges, host.breaks_off = ranges, 100
    result = download()
    assert result.status == 2 and "Received: " in result.stderr
    assert "Run it again to resume, or get the file by other means" in result.stderr
    part = tmp_path / "data/downloads/eurlex-4k.tar.gz.part"
    assert part.read_bytes() == host.content[:100]
    host.breaks_off = None
    assert download().status == 0
    assert host.asked == [None, "bytes=100-"]


def test_more_is_downloaded_than_the_file_has(host, download, tmp_path):
    part = tmp_path / "data/downloads/eurlex-4k.tar.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (len(host.content) + 1))
    assert download().status == 0
    assert len(host.asked) == 2 and host.asked[1] is None


def test_hosts_that_do_not_have_it(host, download, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark_sets, "ARCHIVE", host.url.replace("{}", "x"))
    result = download()
    assert result.status == 2 and "Received: Not Found. Run it again" in result.stderr
    monkeypatch.setattr(benchmark_sets, "ARCHIVE", "http://127.0.0.1:1/{}.tar.gz")
    result = download()
    assert result.status == 2 and result.stderr.count("\n") == 1
    assert re.search(
        "Expected 127.0.0.1 to send .* Received: .*refused.*https://drive.google.com"
        ".*AttentionXML|AttentionXML .*https://drive.google.com",
        result.stderr,
    )
    with pytest.raises(BadInput, match="Expected no-such-host.invalid to send"):
        fetch("http://no-such-host.invalid/x", tmp_path / "x", "do without.")


def test_an_archive_that_is_damaged(host, download, tmp_path):
    host.content = host.content[: len(host.content) // 2]
    result = download()
    assert result.status == 2 and "Expected an intact archive" in result.stderr
    assert "Remove it and start again" in result.stderr
    whole = tmp_path / "data/downloads/eurlex-4k.tar.gz"
    content = bytearray(archive())
    content[-5] ^= 1  # part of the checksum at the end
    whole.write_bytes(content)
    result = download()
    assert result.status == 2 and "Received: CRC check failed" in result.stderr
    (tmp_path / "data/downloads/eurlex-4k.tar.gz").unlink()
    packed = io.BytesIO()
    tarfile.open(fileobj=packed, mode="w:gz").close()
    host.content = packed.getvalue()
    result = download()
    assert result.status == 2 and "Received: no X.trn.txt, Y.trn.npz" in result.stderr


def test_the_sets_are_those_of_the_recipes():
    for name, found in SETS.items():
        recipe = (PROJECT / f"configs/{name}.yaml").read_text("utf-8")
        assert f"data: data/{found.folder}\n" in recipe
        head = f"{found.train:,} / {found.test:,} documents, {found.labels:,} labels"
        assert head in recipe.partition("\n")[0]
        assert found.url.startswith("https://archive.org/")
