import json
import os

import pytest

from xmc_keras.files import digests
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import (
    check_digest,
    check_digests,
    record_digests,
    write_checked,
)


def write(path, content):
    with write_checked(path) as file:
        file.write(content)


def test_any_change_is_found(tmp_path):
    path = tmp_path / "metrics.json"
    for content in (b"first", b"second", b"third"):
        write(path, content)
        check_digest(path)
    for changed in (b"", b"thir", b"thirds", b"\x74hird"[:4] + b"e", b"first"):
        path.write_bytes(changed)
        with pytest.raises(BadInput, match="metrics.json: Expected the file as it was"):
            check_digest(path)
    path.unlink()
    check_digest(path)  # who reads it says that it is missing


@pytest.mark.parametrize("step", ["write_digests", "replace"])
@pytest.mark.parametrize("earlier", [[], [b"zeroth"], [b"zeroth", b"first"]])
def test_killed_at_any_step_it_has_a_digest_of_its_own(
    tmp_path, monkeypatch, step, earlier
):
    path = tmp_path / "history.csv"
    for content in earlier:
        write(path, content)

    class Killed(BaseException):
        pass

    def die(*arguments):
        if step == "write_digests" or str(arguments[1]) == str(path):
            raise Killed
        return replace(*arguments)

    replace = os.replace
    for content in (b"second", b"third"):  # killed twice, and then not
        with monkeypatch.context() as patch:
            patch.setattr(digests if step == "write_digests" else os, step, die)
            with pytest.raises(Killed):
                write(path, content)
        check_digest(path)
        assert (path.read_bytes() if earlier else path.exists()) == (
            earlier[-1] if earlier else False
        )
    write(path, b"fourth")
    check_digest(path)
    assert len(json.loads((tmp_path / "digests.json").read_text())) == 1


def test_files_of_a_folder(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    (tmp_path / "extra").mkdir()
    check_digests(tmp_path, "extra/d.json")  # nothing to compare with
    record_digests(tmp_path, ["a", "b"], "extra/d.json")
    check_digests(tmp_path, "extra/d.json")
    (tmp_path / "b").write_text("c")
    with pytest.raises(BadInput, match="b: Expected the file as it was written. Rec"):
        check_digests(tmp_path, "extra/d.json")
    (tmp_path / "b").unlink()
    with pytest.raises(BadInput, match="b: Expected .* Received: none"):
        check_digests(tmp_path, "extra/d.json")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"a": 3}', b"\xff", b"[" * 9999]
)
def test_damaged_digests(tmp_path, content):
    write(tmp_path / "a", b"sea")
    (tmp_path / "digests.json").write_bytes(content)
    with pytest.raises(
        BadInput, match="digests.json: Expected the digests .*remove it"
    ):
        check_digest(tmp_path / "a")
