"""Every file of an export, a prepared folder and feature files, damaged."""

import shutil

import numpy as np
import pytest
import scipy.sparse

from tests.faults.test_damaged_runs import check_error
from tests.helpers.damaged import damaged, damages
from xmc_keras.data.feature_documents import read_feature_documents
from xmc_keras.data.splits import read_part
from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.serving.export import export_runs
from xmc_keras.serving.server.load_version import load_version
from xmc_keras.serving.server.model_versions import ModelVersions
from xmc_keras.serving.server.serving_error import ServingError

TEXTS = np.array([b"word1a word1b", b"word7c word8b word9a", b""], object)


def answers(path):
    model = load_version(path)
    try:
        found = model.predict({"text": TEXTS})
    finally:
        model.close()
    return {name: value.tolist() for name, value in found.items()}


def test_a_version_that_is_not_as_it_was(golden_version, tmp_path):
    from xmc_keras.serving.version.version_digests import record_version

    version = tmp_path / "models/1"
    shutil.copytree(golden_version, version)
    load_version(version).close()  # without digests nothing is compared
    record_version(version)
    load_version(version).close()
    count = 0
    for path in sorted(path for path in version.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        for name, content in damages(whole):
            if path.name == "digests.json" and content in (None, whole[:-1]):
                continue  # nothing to compare with; without the last line end
            with damaged(path, name, content):
                with pytest.raises(ServingError) as error:
                    load_version(version)
                assert error.value.code == "DATA_LOSS", (path, name)
                place = version if path.name == "digests.json" else path
                assert str(place) in error.value.message, (path, name)
                if count % 10 == 0:
                    with pytest.raises(BadInput) as error:
                        ModelVersions("m", version.parent).start()
                    check_error(str(error.value), version)
                count += 1
    assert count > 20


@pytest.mark.large
@pytest.mark.parametrize("kind", ["lightxml", "lightdxml"])
def test_exports(tiny_run, words_config, tmp_path, call, kind):
    run = tiny_run.folder
    if kind == "lightdxml":
        run = tmp_path / "run"
        assert call("fit", words_config, "--run", run).status == 0
    export_runs([RunFolder(run)], tmp_path / "models")
    version = tmp_path / "models/1"
    whole = answers(version)
    count = errors = 0
    for path in sorted(path for path in version.rglob("*") if path.is_file()):
        for name, content in damages(path.read_bytes(), places=8):
            with damaged(path, name, content):
                count += 1
                try:
                    assert answers(version) == whole, (path, name)
                except ServingError as error:
                    errors += 1
                    assert str(version) in error.message, (path, name)
    print(f"{count} damages, {errors} refused, the others with the same answers")
    assert errors > 60


def read_all(folder):
    found = []
    for part in ("train", "test"):
        documents = read_part(folder, part)
        found.append((documents.texts, documents.labels, documents.filtered))
    return found


def test_prepared_folders(tmp_path, call):
    source, made = tmp_path / "source", tmp_path / "made"
    source.mkdir()
    for part in ("train", "test"):
        rows = [f'"{part} text {i}",label{i % 7}' for i in range(50)]
        (source / f"{part}.csv").write_text("\n".join(["text,labels", *rows]) + "\n")
    assert call("prepare", source, made).status == 0
    whole = read_all(made)
    count = 0
    for path in sorted(made.iterdir()):
        if path.name in ("summary.json", "renamed_labels.tsv"):
            continue  # for people
        for name, content in damages(path.read_bytes(), places=12):
            if (path.name, name) == ("digests.json", "missing"):
                continue
            with damaged(path, name, content):
                try:
                    assert read_all(made) == whole and path.name == "digests.json"
                except BadInput as error:
                    check_error(str(error) + " Restore", made)
                    count += 1
    assert count > 60


def write_features(folder, form, rng):
    features = scipy.sparse.random(20, 30, 0.3, "csr", rng=rng, dtype=np.float32)
    labels = scipy.sparse.csr_matrix(
        np.eye(5, dtype=np.float32)[rng.integers(0, 5, 20)]
    )
    if form == "npz":
        scipy.sparse.save_npz(folder / "X.trn.npz", features)
        scipy.sparse.save_npz(folder / "Y.trn.npz", labels)
        return
    lines = ["20 30 5"]
    for row, label in zip(features, labels):
        pairs = " ".join(f"{i}:{v:.4f}" for i, v in zip(row.indices, row.data))
        lines.append(f"{label.indices[0]} {pairs}")
    (folder / "train.txt").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("form", ["npz", "text"])
def test_feature_files(tmp_path, form):
    write_features(tmp_path, form, np.random.default_rng(0))

    def read():
        found = read_feature_documents(tmp_path, "train")
        return found.features.toarray().tolist(), found.labels

    whole, errors = read(), 0
    for path in sorted(tmp_path.iterdir()):
        for name, content in damages(path.read_bytes(), places=150):
            with damaged(path, name, content):
                try:
                    found = read()
                    # A digit of a text that its owner wrote has no checksum.
                    assert found == whole or (form == "text" and "flipped" in name)
                except BadInput as error:
                    check_error(str(error) + " Restore", tmp_path)
                    errors += 1
    assert errors > 30
