import dataclasses

import numpy as np
import pytest
import scipy.sparse

from xmc_keras.config.choose_config import choose_config
from xmc_keras.config.config_conflicts import find_conflicts
from xmc_keras.config.config_file import load_config, override_config, save_config
from xmc_keras.config.processor import has_fast_bfloat16
from xmc_keras.data.documents import Documents
from xmc_keras.data.feature_documents import FeatureDocuments
from xmc_keras.files.bad_input import BadInput
from xmc_keras.text.choose_text_features import choose_text_features


def make_documents(count, num_labels=7):
    rng = np.random.default_rng(0)
    texts = [
        " ".join(rng.choice(["sea", "sky", "air", "mud"], 3)) for _ in range(count)
    ]
    return Documents(texts, [[f"label{i % num_labels}"] for i in range(count)])


@pytest.mark.parametrize("count", [3, 999, 1000, 5000, 20_000])
def test_every_choice_is_a_config(count, tmp_path):
    documents = make_documents(count)
    config, reasons = choose_config(documents)
    assert find_conflicts(vars(config)) == []
    assert (config.system, config.encoder, config.linear) == (
        "lightdxml",
        "words",
        True,
    )
    features, _ = choose_text_features(documents.texts)
    for key, value in features.items():
        assert getattr(config, key) == value
    assert 0 < config.initial_probability < 1
    assert config.random_negatives <= 7
    assert config.data is None  # of the documents alone
    # It survives the file of a run.
    config = dataclasses.replace(config, data="texts")
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml", resolved=True) == config
    assert all(isinstance(reason, str) and "\n" not in reason for reason in reasons)
    assert f"{count:,} documents" in " ".join(reasons)
    assert any(reason.startswith("linear true") for reason in reasons)


def test_titles_are_shown_where_there_are_any():
    documents = make_documents(30)
    assert choose_config(documents)[0].titles is False
    documents = dataclasses.replace(documents, label_titles={"label1": "One"})
    config, reasons = choose_config(documents)
    assert config.titles is True and "titles true: the labels have titles" in reasons
    assert choose_config(documents, ["titles=false"])[0].titles is False


def test_larger_data_takes_fewer_epochs_of_larger_batches():
    found = [choose_config(make_documents(n))[0] for n in (100, 1000, 5000, 20_000)]
    for smaller, larger in zip(found, found[1:]):
        assert larger.batch_size > smaller.batch_size
        assert larger.epochs <= smaller.epochs
        assert larger.embedding_dim >= smaller.embedding_dim


def test_too_many_labels_for_a_linear_model():
    count = 500_001
    documents = Documents(["sea"] * count, [[str(i)] for i in range(count)])
    config, reasons = choose_config(documents)
    assert not config.linear and config.random_negatives < 500_000
    assert any(reason.startswith("linear false") for reason in reasons)
    config, reasons = choose_config(documents, ["system=lightxml"])
    assert not config.words
    assert any(reason.startswith("words false") for reason in reasons)


@pytest.mark.parametrize("count", [3, 999, 1000, 5000, 20_000])
def test_every_choice_of_lightxml_is_a_config(count):
    config, reasons = choose_config(make_documents(count), ["system=lightxml"])
    assert find_conflicts(vars(config)) == []
    assert (config.encoder, config.max_tokens, config.max_leaf) == ("minilm", 32, 1)
    assert config.words
    assert any(
        reason.startswith(f"batch_size {config.batch_size}") for reason in reasons
    )
    chosen, reasons = choose_config(
        make_documents(count), {"system": "lightxml", "epochs": 99}
    )
    assert chosen == dataclasses.replace(config, epochs=99)
    assert reasons[-1] == "as set: epochs"


def test_a_reason_is_about_what_was_chosen():
    documents = make_documents(300)
    assert any(why.startswith("char_ngrams [3, 5]: ") for why in reasons_of(documents))
    given = {"char_ngrams": None, "epochs": 2}
    reasons = reasons_of(documents, given)
    assert "batch_size 16, embedding_dim 64: for 300 documents" in reasons
    assert not any("char" in why or "epochs" in why for why in reasons[:-1])
    assert reasons[-1] == "as set: epochs, char_ngrams"


def reasons_of(documents, given=()):
    return choose_config(documents, given)[1]


def test_lightxml_for_the_length_of_texts_the_labels_and_the_processor(monkeypatch):
    texts = ["a"] * 1000 + ["word " * 100] * 3001
    documents = Documents(texts, [[str(i)] for i in range(len(texts))])
    for fast, precision in ((True, "mixed_bfloat16"), (False, "float32")):
        monkeypatch.setattr(
            "xmc_keras.config.choose_lightxml.has_fast_bfloat16", lambda: fast
        )
        config, _ = choose_config(documents, {"system": "lightxml"})
        assert (config.max_tokens, config.max_leaf) == (192, 100)
        assert config.precision == precision
    config, _ = choose_config(documents, {"system": "lightxml"}, {"GPU": 1e9})
    assert config.precision == "mixed_bfloat16"


def test_the_flags_of_the_processor(tmp_path):
    path = tmp_path / "cpuinfo"
    for flags, expected in (("fpu avx512_bf16 sse", True), ("fpu avx512f", False)):
        path.write_text(f"processor : 0\nflags\t\t: {flags}\n")
        assert has_fast_bfloat16(path) is expected


def test_a_reason_for_what_is_set_is_left_out():
    _, reasons = choose_config(make_documents(40), ["linear=false"])
    assert not any(reason.startswith("linear") for reason in reasons)
    assert reasons[-1] == "as set: linear"


def test_features_have_no_words_to_choose_for():
    rows = scipy.sparse.csr_matrix(np.eye(3, 9, dtype="float32"))
    documents = FeatureDocuments(rows, [["0"], ["1"], ["1"]], [1, 2, 3], "x", "x")
    config, reasons = choose_config(documents)
    assert config.max_ngram == 1 and config.char_ngrams is None
    assert not any("max_ngram" in reason for reason in reasons)
    with pytest.raises(BadInput, match="Expected texts for a transformer"):
        choose_config(documents, ["system=lightxml"])


def test_what_is_set_overrides_what_is_chosen():
    documents = make_documents(40)
    config, _ = choose_config(documents)
    settings = ["epochs=3", "linear=false", "data=base #1", "epochs=4"]
    changed, _ = choose_config(documents, settings)
    expected = {"epochs": 4, "linear": False, "data": "base #1"}
    assert changed == dataclasses.replace(config, **expected)


@pytest.mark.parametrize(
    "setting, message",
    [
        ("epoch=3", "setting epoch=3: Unknown config key: epoch .did you mean epochs"),
        ("epochs=none", "setting epochs=none: Expected epochs"),
        ("label_words=0", "setting label_words=0: Expected label_words with linear"),
        ("encoder=minilm", "setting encoder=minilm: Expected label_words to be 0"),
        ("shared_negatives=no", "setting shared_negatives=no: Expected random_negat"),
        ("system=light", "setting system=light: Expected system to be"),
        ("top_k=3", "setting top_k=3: Expected keys of lightdxml. Received: top_k"),
    ],
)
def test_settings_that_do_not_fit(setting, message):
    with pytest.raises(BadInput, match=f"^{message}"):
        choose_config(make_documents(9), [setting])


def test_keys_that_do_not_fit_have_no_place():
    keys = {"system": "lightdxml", "encoder": "words", "linear": True}
    with pytest.raises(BadInput, match="^Expected label_words with linear"):
        override_config(keys)
    with pytest.raises(BadInput, match="^Unknown config key: epoch"):
        override_config({"epoch": 3})
    with pytest.raises(BadInput, match="^Expected the key encoder, which has no"):
        override_config({"epochs": 3})
    assert override_config(keys, ["label_words=3"]).label_words == 3
    # Sizes that are set are no limits: they must fit.
    config = override_config({"encoder": "minilm", "top_k": 30}, ["data=texts"])
    assert type(config.top_k) is int
