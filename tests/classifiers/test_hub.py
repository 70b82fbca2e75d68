"""Classifiers on the Hugging Face hub: the real library, and a server here."""

import errno
import pickle

import huggingface_hub.constants
import keras
import pytest
import yaml
from huggingface_hub import ModelCard

from tests.helpers.hub_server import run_hub
from xmc_keras import (
    Config,
    LightDXMLClassifier,
    LightXML,
    LightXMLClassifier,
)
from xmc_keras.classifiers.hub import explain_hub_errors
from xmc_keras.runs.model_file import save_model

FACTS = {"language": "en", "license": "apache-2.0", "datasets": "me/data"}


@pytest.fixture(scope="module")
def compiled(tiny_encoder):
    clusters, names = [[0, 1], [2, -1]], ["label01", "label02", "label03"]
    model = LightXML.from_preset(
        str(tiny_encoder), clusters, names, num_feature_layers=1, max_tokens=16
    )
    model.recommend(["word0a"])  # builds it
    return model


@pytest.fixture(scope="module")
def transformer(compiled, tiny_encoder, tmp_path_factory):
    """Not trained: what a file of Keras is as a classifier, and a config."""
    path = tmp_path_factory.mktemp("transformer") / "a.keras"
    save_model(compiled, path)
    model = LightXMLClassifier.load(path)
    model.config_ = Config(encoder=str(tiny_encoder), max_tokens=16)
    return model.set_params(encoder=str(tiny_encoder), epochs=3)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with run_hub(monkeypatch, tmp_path / "cache") as hub:
        yield hub


@pytest.mark.parametrize(
    "name", ["tagger", pytest.param("transformer", marks=pytest.mark.large)]
)
def test_there_and_back(name, hub, few, request):
    model = request.getfixturevalue(name)
    model.save("hf://me/tagger", commit_message="First")
    (_, _), (message, files) = hub.commits["me/tagger"]
    assert message == "First" and "me/tagger" not in hub.private
    assert {"README.md", "config.json", "model.weights.h5"} <= files.keys()
    loaded = type(model).load("hf://me/tagger")
    texts = few[0][:5]
    assert loaded.recommend(texts) == model.recommend(texts)
    assert loaded.get_params() == model.get_params()
    assert loaded.config_ == model.config_
    # Keras reads the model of it.
    plain = keras.saving.load_model("hf://me/tagger")
    assert plain.recommend(texts) == model.model_.recommend(texts)


def test_what_keras_has_saved(hub, tagger, few):
    texts = few[0][:5]
    keras.saving.save_model(tagger.model_, "hf://me/plain")
    loaded = type(tagger).load("hf://me/plain")
    assert loaded.predict(texts) == tagger.predict(texts)
    # The next model replaces all of it, and no other file.
    files = hub.files("me/plain")
    files |= {"notes.md": b"mine", "assets/old": b"of another model"}
    files["model.weights.npz"] = b"of another format"
    tagger.save("hf://me/plain")
    left = set(hub.files("me/plain"))
    assert {"notes.md", ".gitattributes", "classifier.json"} <= left
    assert not {"assets/old", "model.weights.npz", "assets/summary_plot.png"} & left
    assert type(tagger).load("hf://me/plain").predict(texts) == tagger.predict(texts)


def test_a_compiled_model(hub, compiled, few):
    # As training has left it: Keras warns of the optimizer of a model never trained.
    compiled.optimizer.build(compiled.trainable_variables)
    keras.saving.save_model(compiled, "hf://me/compiled")
    loaded = keras.saving.load_model("hf://me/compiled")
    assert loaded.compiled and type(loaded.optimizer) is type(compiled.optimizer)
    assert loaded.recommend(few[0][:3]) == compiled.recommend(few[0][:3])


def test_revisions_and_files(hub, tagger, tmp_path):
    tagger.save("hf://me/tagger")
    first = huggingface_hub.HfApi().model_info("me/tagger").sha
    other = pickle.loads(pickle.dumps(tagger))
    for weight in other.model_.trainable_weights:
        weight.assign(-weight)
    other.save("hf://me/tagger")
    tagger.save(tmp_path / "a.keras")
    hub.files("me/tagger")["models/a.keras"] = (tmp_path / "a.keras").read_bytes()
    for place, model in (
        ("", other),
        (f"@{first}", tagger),
        ("/models/a.keras", tagger),
    ):
        loaded = LightDXMLClassifier.load(f"hf://me/tagger{place}")
        pairs = zip(loaded.model_.weights, model.model_.weights, strict=True)
        assert all((a.numpy() == b.numpy()).all() for a, b in pairs)


def test_private_repositories(hub, tagger, monkeypatch):
    tagger.save("hf://me/secret", private=True)
    assert "me/secret" in hub.private
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ValueError, match="Log in by `hf auth login`, set HF_TOKEN"):
        LightDXMLClassifier.load("hf://me/secret")
    token = "hf_of_the_tests"
    LightDXMLClassifier.load("hf://me/secret", token=token)
    tagger.save("hf://me/public", token=token)
    with pytest.raises(ValueError, match="Received: a public one"):
        tagger.save("hf://me/public", private=True, token=token)
    assert len(hub.commits["me/public"]) == 2


def test_the_card(hub, tagger, transformer, few):
    tagger.save("hf://me/tagger", tags="debian", **FACTS)
    text = hub.files("me/tagger")["README.md"].decode()
    assert text == tagger.model_card("hf://me/tagger", tags=["debian"], **FACTS)
    data = ModelCard(text).data
    facts = yaml.safe_load(text.split("---\n")[1])
    assert facts["library_name"] == "keras" and facts["language"] == "en"
    assert facts["pipeline_tag"] == "text-classification"
    assert {"lightdxml", "debian"} <= set(facts["tags"])
    assert facts["license"] == "apache-2.0" and facts["datasets"] == ["me/data"]
    results = {result.metric_name: result for result in data.eval_results}
    assert results["P@1"].metric_type == "precision_at_1" in facts["metrics"]
    assert results["P@1"].metric_value == round(tagger.metrics_["P@1"], 2)
    assert results["P@1"].dataset_name == "me/data"
    assert results["P@1"].dataset_split == "validation"
    assert 'LightDXMLClassifier.load("hf://me/tagger")' in text
    assert "6 validation documents" in text and "60 texts" in text

    text = transformer.model_card(metrics=transformer.evaluate(*few))
    facts = yaml.safe_load(text.split("---\n")[1])
    assert not {"language", "license", "datasets", "base_model"} & facts.keys()
    (index,) = facts["model-index"]
    assert {r["dataset"]["split"] for r in index["results"]} == {"test"}
    assert {r["dataset"]["name"] for r in index["results"]} == {"Unknown"}
    # The path of the encoder is of this machine.
    assert "tiny_encoder" in text and transformer.config_.encoder not in text


def test_the_card_of_a_model_without_facts(tagger, tmp_path):
    tagger.model_.save(tmp_path / "plain.keras")
    plain = LightDXMLClassifier.load(tmp_path / "plain.keras")
    text = plain.model_card()
    facts = yaml.safe_load(text.split("---\n")[1])
    assert set(facts) == {"library_name", "pipeline_tag", "tags"}
    assert "## Metrics" not in text and "## Config" not in text
    assert "- Encoder" not in text and "- Trained on" not in text
    with pytest.raises(ValueError, match="Expected hf://owner/name. Received: me/tag"):
        plain.model_card("me/tagger")


@pytest.mark.parametrize(
    "handle, message",
    [
        ("hf://tagger", "Expected hf://owner/name. Received: hf://tagger"),
        ("hf://", "Expected hf://owner/name. Received: hf://"),
        ("hf://me/no such name", "Expected hf://owner/name. Received"),
        ("hf://datasets/me/data", "Received: hf://datasets/me/data .a dataset"),
    ],
)
def test_names_that_are_none(handle, message, tagger):
    for call in (tagger.save, LightDXMLClassifier.load):
        with pytest.raises(ValueError, match=message):
            call(handle)


def test_what_cannot_be_loaded(hub, tagger, transformer):
    def check(handle, message, cls=LightDXMLClassifier):
        with pytest.raises(ValueError, match=message) as raised:
            cls.load(handle)
        assert "\n" not in str(raised.value) and raised.value.__cause__ is None

    check("hf://me/none", "Expected a repository hf://me/none. Received: none that you")
    hub.commits["me/notes"] = [("", {"config.json": b"{}", "a.keras": b"no zip"})]
    check("hf://me/notes", "Received: a repository without metadata.json")
    check("hf://me/notes/b.keras", "Expected the file hf://me/notes/b.keras")
    check("hf://me/notes@v1", "Expected a branch, tag or commit .* unknown one")
    tagger.save("hf://me/tagger")
    check("hf://me/tagger", "Expected a model of lightxml", LightXMLClassifier)
    hub.commits["me/gated"] = hub.commits["me/tagger"]
    hub.gated.add("me/gated")
    check("hf://me/gated", "Expected access to .* Ask for it on the page")


def test_damaged_files(hub, tagger):
    tagger.save("hf://me/tagger")
    files = hub.files("me/tagger")
    files["model.weights.h5"] = files["model.weights.h5"][:-100]
    with pytest.raises(ValueError, match="a file that cannot be read"):
        LightDXMLClassifier.load("hf://me/tagger")


def test_nothing_is_uploaded_if_the_hub_refuses(hub, tagger, monkeypatch):
    def check(message, **options):
        with pytest.raises(ValueError, match=message) as raised:
            tagger.save("hf://me/tagger", **options)
        assert "\n" not in str(raised.value)
        assert len(hub.commits.get("me/tagger", [])) <= 1  # that of making it

    check("Expected a model card that the hub accepts", license=["mit"])
    assert not hub.commits
    with monkeypatch.context() as patch:
        patch.setenv("HF_TOKEN", "hf_wrong")
        check("Expected the right to write .*Invalid username or password")
    hub.read_only = True
    check("Expected the right to write .* one that may write")
    assert not hub.commits
    hub.read_only, hub.broken = False, True
    check("Received: Internal error")
    with pytest.raises(ValueError, match="Expected hf://owner/name to save to"):
        tagger.save("hf://me/tagger@main")
    with pytest.raises(ValueError, match="for private. Received: a.keras"):
        tagger.save("a.keras", private=True)


def test_a_commit_of_another_program(hub, tagger, monkeypatch):
    create = huggingface_hub.HfApi.create_commit

    def after_another(self, *arguments, **options):
        hub.commits["me/tagger"].append(("other", {"README.md": b"other"}))
        return create(self, *arguments, **options)

    monkeypatch.setattr(huggingface_hub.HfApi, "create_commit", after_another)
    with pytest.raises(ValueError, match="A commit has happened since. Try again."):
        tagger.save("hf://me/tagger")
    assert hub.files("me/tagger") == {"README.md": b"other"}


def test_a_full_disk(hub, tagger):
    with pytest.raises(ValueError, match="cache: Expected to write here. .* No space"):
        with explain_hub_errors("hf://me/tagger"):
            raise OSError(errno.ENOSPC, "No space left on device")


def test_without_network(hub, tagger, few, monkeypatch):
    tagger.save("hf://me/tagger")
    LightDXMLClassifier.load("hf://me/tagger")
    nowhere = "http://127.0.0.1:9"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", nowhere)
    # What was downloaded is still there.
    loaded = LightDXMLClassifier.load("hf://me/tagger")
    assert loaded.predict(few[0][:3]) == tagger.predict(few[0][:3])
    for call in (tagger.save, LightDXMLClassifier.load):
        with pytest.raises(ValueError, match="Received: no connection .*HF_ENDPOINT"):
            call("hf://me/other")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="Received: no connection"):
        LightDXMLClassifier.load("hf://me/other")
