import pytest

from xmc_keras.data.documents import read_documents


@pytest.fixture
def prepare_files(call, tmp_path, caplog):
    """Writes files and runs the command; gives its result and the labels by text."""

    def prepare(files, *arguments, source=""):
        for name, content in files.items():
            path = tmp_path / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = content if isinstance(content, bytes) else content.encode()
            path.write_bytes(content)
        made = tmp_path / "made"
        caplog.set_level("INFO")
        place = tmp_path / "source" / source
        result = call("prepare", place, made, *arguments, tensorflow=False)
        if result.status:
            assert (result.status, result.stdout) == (2, ""), result.stderr
            assert not made.exists()
            return result.stderr, None
        train = read_documents(made, "train")
        return result.stdout, [set(labels) for labels in train.labels]

    return prepare
