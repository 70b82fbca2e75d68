"""`atomic_write`: the file exists only once it is complete."""

import gzip

import pytest

from xmc_keras.files.atomic_files import atomic_write


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_whole_or_as_it_was(tmp_path, name):
    path = tmp_path / name
    read = gzip.decompress if name.endswith(".gz") else bytes
    for content in (b"sea", b"sky"):
        with atomic_write(path) as file:
            file.write(content)
            assert not path.exists() or read(path.read_bytes()) == b"sea"
        assert read(path.read_bytes()) == content
    with pytest.raises(OSError, match="full"), atomic_write(str(path)) as file:
        file.write(b"half")
        raise OSError("disk full")
    assert read(path.read_bytes()) == b"sky"
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_compressed_bytes_depend_on_the_content_alone(tmp_path):
    for name in ("a.gz", "b.gz"):
        with atomic_write(tmp_path / name) as file:
            file.write(b"sea" * 1000)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.gz", "b.gz"))
    assert first == second and len(first) < 1000
