"""The classifiers as estimators of scikit-learn."""

import json
import pickle
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pandas
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from xmc_keras import (
    LightDXMLClassifier,
    LightXMLClassifier,
    RunFolder,
    evaluate,
    fit,
    load_config,
    read_documents,
)
from xmc_keras.config.choose_config import choose_config

FAST = {"epochs": 2, "embedding_dim": 16, "char_ngrams": None, "verbose": False}


@pytest.fixture(scope="module")
def parts(tiny_data):
    return [read_documents(tiny_data, part) for part in ("train", "test")]


@pytest.fixture(scope="module")
def small(parts):
    """150 texts and their labels: the time of a training is that of its graphs."""
    train, _ = parts
    return train.texts[:150], train.labels[:150]


@pytest.fixture(scope="module")
def words(small):
    return LightDXMLClassifier(**FAST).fit(*small)


@pytest.fixture(scope="module")
def transformer(small, tiny_encoder):
    model = LightXMLClassifier(
        str(tiny_encoder),
        epochs=2,
        num_feature_layers=2,
        max_leaf=5,
        words=False,
        verbose=False,
    )
    return model.fit(*small)


@pytest.fixture(scope="module")
def hybrid(small, tiny_encoder):
    model = LightXMLClassifier(
        str(tiny_encoder), epochs=1, num_feature_layers=2, max_leaf=5, verbose=False
    )
    return model.fit(*small)


@pytest.fixture(
    params=["words", "transformer", pytest.param("hybrid", marks=pytest.mark.large)]
)
def fitted(request):
    return request.getfixturevalue(request.param)


def test_all_answers_agree(fitted, parts):
    texts = parts[1].texts[:9]
    asked = fitted.recommend(texts, k=4)
    assert [[label for label, _ in row] for row in asked] == fitted.predict(texts, k=4)
    scores = fitted.predict_proba(texts, k=4)
    assert scores.shape == (9, len(fitted.classes_)) and scores.dtype == np.float32
    places = {label: place for place, label in enumerate(fitted.classes_)}
    for row, found in zip(scores.toarray(), asked):
        assert np.count_nonzero(row) == 4
        for label, score in found:
            assert row[places[label]] == pytest.approx(score, abs=1e-6)
    above = fitted.predict(texts, threshold=0.3)
    for names, row in zip(above, fitted.predict_proba(texts).toarray()):
        assert set(names) == {fitted.classes_[i] for i in np.flatnonzero(row >= 0.3)}
    few = fitted.predict(texts, threshold=1)
    assert all(set(some) <= set(names) for some, names in zip(few, above))
    assert fitted.predict(texts) == fitted.predict(texts, k=5)
    model = fitted.model_.recommend(texts, k=4)
    assert [[(n, round(s, 5)) for n, s in row] for row in model] == [
        [(n, round(s, 5)) for n, s in row] for row in asked
    ]
    assert isinstance(fitted.model_, keras.Model)
    assert fitted.predict([]) == [] and fitted.predict_proba([]).shape[0] == 0


def test_metrics(fitted, parts, small):
    train, test = parts
    found = fitted.evaluate(test.texts, test.labels)
    documents = train.subset(range(150))
    expected = evaluate(fitted.model_, test, train=documents, config=fitted.config_)
    for key, value in found.items():
        assert value == pytest.approx(expected[key], abs=1e-6), key
    assert {"P@1", "nDCG@5", "PSP@3", "recall@10"} <= set(found)
    assert fitted.score(test.texts, test.labels) == pytest.approx(found["P@1"] / 100)
    assert found["P@1"] > 60
    # Labels that training never saw count as missed.
    alien = [[*labels, "never seen"] for labels in test.labels]
    assert fitted.evaluate(test.texts, alien)["recall@10"] < found["recall@10"]
    assert len(fitted.history_) == 2 and fitted.metrics_["P@1"] > 0


def test_files_and_pickles(fitted, parts, tmp_path):
    texts = parts[1].texts[:9]
    expected = fitted.predict_proba(texts)
    path = tmp_path / "tagger.keras"
    fitted.save(path)
    loaded = type(fitted).load(path)
    copied = pickle.loads(pickle.dumps(fitted))
    for other in (loaded, copied):
        assert abs(other.predict_proba(texts) - expected).max() == 0
        assert other.get_params() == fitted.get_params()
        assert other.classes_.tolist() == fitted.classes_.tolist()
        assert other.config_ == fitted.config_ and other.history_ == fitted.history_
        found = other.evaluate(parts[1].texts, parts[1].labels)
        assert found == fitted.evaluate(parts[1].texts, parts[1].labels)
    # It is a model of Keras, too; and the file of a model is one of a classifier.
    model = keras.models.load_model(path)
    assert model.recommend(texts, 2) == loaded.model_.recommend(texts, 2)
    model.save(tmp_path / "plain.keras")
    plain = type(fitted).load(tmp_path / "plain.keras")
    assert plain.predict(texts) == fitted.predict(texts)
    others = {LightXMLClassifier: LightDXMLClassifier}
    with pytest.raises(ValueError, match="Expected a model of light"):
        others.get(type(fitted), LightXMLClassifier).load(path)
    with pytest.raises(ValueError, match="ends in .keras"):
        fitted.save(tmp_path / "tagger.bin")
    with pytest.raises(FileNotFoundError, match="no file"):
        type(fitted).load(tmp_path / "none.keras")


@pytest.mark.large
def test_a_pickle_in_another_process(words, parts, tmp_path):
    texts = parts[1].texts[:5]
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps(words))
    code = (
        "import json, pickle, sys\n"
        "model = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print(json.dumps(model.recommend(json.loads(sys.argv[2]))))\n"
    )
    command = [sys.executable, "-c", code, str(path), json.dumps(texts)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    expected = json.loads(json.dumps(words.recommend(texts)))
    assert json.loads(done.stdout) == expected


@pytest.mark.large
def test_the_same_seed_gives_the_same_model(words, small, parts):
    policy = keras.config.dtype_policy().name
    again = clone(words).set_params(precision="mixed_bfloat16").fit(*small)
    assert keras.config.dtype_policy().name == policy
    again = clone(again).set_params(precision="auto").fit(*small)
    texts = parts[1].texts
    assert (again.predict_proba(texts) != words.predict_proba(texts)).nnz == 0
    other = clone(words).set_params(random_state=1).fit(*small)
    assert (other.predict_proba(texts) != words.predict_proba(texts)).nnz > 0


@pytest.mark.large
def test_it_is_the_training_of_the_folder(parts, small):
    train = parts[0].subset(range(150))
    config, _ = choose_config(train, ["epochs=2", "embedding_dim=16"])
    result = fit(config, train, progress=False, learn_validation=True)
    model = LightDXMLClassifier(epochs=2, embedding_dim=16, verbose=False).fit(*small)
    assert model.config_ == config
    texts = parts[1].texts
    assert model.model_.recommend(texts) == result.model.recommend(texts)
    assert result.metrics["learnt_validation"] is True
    assert result.metrics["P@1"] == result.metrics["validation"]["P@1"]


def test_integers_come_back_as_integers(parts):
    train, _ = parts
    texts = train.texts[:60]
    numbers = [[int(label[-2:]) for label in labels] for labels in train.labels[:60]]
    settings = {**FAST, "linear": False, "epochs": 1}
    model = LightDXMLClassifier(**settings).fit(texts, numbers)
    assert model.classes_.tolist() == sorted({n for row in numbers for n in row})
    assert all(type(label) is int for row in model.predict(texts) for label in row)


@pytest.mark.large
def test_indicators_and_single_labels(parts):
    train, _ = parts
    texts = train.texts[:60]
    numbers = [[int(label[-2:]) for label in labels] for labels in train.labels[:60]]
    settings = {**FAST, "linear": False, "epochs": 1}
    model = LightDXMLClassifier(**settings).fit(texts, numbers)
    indicator = np.zeros((60, 25), int)
    for row, labels in zip(indicator, numbers):
        row[labels] = 1
    columns = LightDXMLClassifier(**settings).fit(texts, indicator)
    found = columns.predict(texts)
    assert found.shape == (60, 25) and set(found.data) <= {1}
    proba = columns.predict_proba(texts)
    assert (
        proba.shape == (60, 25) and abs(proba - model_columns(model, texts)).max() == 0
    )
    assert columns.score(texts, indicator) == model.score(texts, numbers)

    named = LightDXMLClassifier(**settings, classes=[f"c{i}" for i in range(25)])
    named.fit(texts, indicator, validation_data=(texts[:9], indicator[:9]))
    assert named.metrics_["validation_documents"] == 9
    assert named.evaluate(texts, indicator)["P@1"] > 0

    single = LightDXMLClassifier(**settings).fit(texts, [row[0] for row in numbers])
    found = single.predict(texts)
    assert found.shape == (60,) and found.dtype.kind == "i"
    assert single.predict(texts, k=2)[0][0] == found[0]


def model_columns(model, texts):
    """The scores of a model with integer labels, at the columns of these."""
    scores = model.predict_proba(texts).tocoo()
    columns = np.array(model.classes_.tolist())[scores.col]
    shape = scores.shape[0], 25
    return scipy.sparse.csr_matrix((scores.data, (scores.row, columns)), shape)


@pytest.mark.large
def test_pandas_a_pipeline_and_splits(small):
    frame = pandas.DataFrame({"text": small[0], "labels": small[1]})
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    model = LightDXMLClassifier(**FAST).set_params(linear=False, epochs=1)
    pipeline = Pipeline([("lower", lower), ("model", model)])
    pipeline.fit(frame["text"], frame["labels"])
    assert len(pipeline.predict(frame["text"][:3])) == 3
    assert pipeline.score(frame["text"], frame["labels"]) > 0
    search = GridSearchCV(model, {"embedding_dim": [4, 16]}, cv=2)
    search.fit(*small)
    assert len(search.best_estimator_.predict(small[0][:2])) == 2
    indicator = np.array(
        [[f"label{i:02d}" in row for i in range(20)] for row in small[1]]
    )
    found = cross_val_predict(model, small[0], indicator, cv=2, method="predict_proba")
    assert found.shape == (150, 20)


@pytest.mark.large
def test_processes_of_a_search_do_not_hang(small):
    model = LightDXMLClassifier(**FAST)
    search = GridSearchCV(model, {"embedding_dim": [4, 16]}, cv=2, n_jobs=2)
    assert search.fit(*small).best_score_ > 0


@pytest.mark.parametrize("cls", [LightXMLClassifier, LightDXMLClassifier])
def test_contract_of_scikit_learn(cls):
    # Not run: the checks that fit numbers, since texts have no rows of them, and those
    # of classifiers, whose `y` is one class per row.
    for check in (
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_get_params_invariance",
        "check_mixin_order",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
        "check_valid_tag_types",
    ):
        getattr(estimator_checks, check)(cls.__name__, cls())
    assert str(cls(epochs=3)) == f"{cls.__name__}(epochs=3)"
    assert cls().__sklearn_tags__().input_tags.string


def test_clusters(transformer, words):
    clusters = transformer.clusters_
    places = np.sort(clusters[clusters >= 0])
    assert places.tolist() == list(range(len(transformer.classes_)))
    assert clusters.shape[1] <= 5
    assert not hasattr(LightXMLClassifier(), "clusters_")
    assert not hasattr(words, "clusters_")


def test_features(parts):
    rng = np.random.default_rng(0)
    rows = scipy.sparse.random(60, 40, 0.2, "csr", np.float32, rng)
    labels = [[int(row.indices[0] % 5)] if row.nnz else [] for row in rows]
    model = LightDXMLClassifier(epochs=1, linear=False, verbose=False).fit(rows, labels)
    assert model.n_features_in_ == 40 and model.classes_.tolist() == [0, 1, 2, 3, 4]
    assert len(model.predict(rows[:7], k=2)) == 7
    with pytest.raises(ValueError, match="Expected texts for a transformer"):
        LightXMLClassifier(verbose=False).fit(rows, labels)
    with pytest.raises(ValueError, match="40 features.*Received: 39"):
        model.predict(rows[:, :39])
    with pytest.raises(ValueError, match="40 features.*Received: texts"):
        model.predict(["a text"])


@pytest.mark.large
def test_recipes_settings_and_validation(small, parts, tmp_path):
    _, test = parts
    model = LightDXMLClassifier.from_recipe("lightdxml_debian24k", epochs=1)
    model.set_params(settings={"random_negatives": 5}, verbose=False)
    model.fit(*small, validation_data=(test.texts[:20], test.labels[:20]))
    recipe = load_config("lightdxml_debian24k", ["epochs=1", "random_negatives=5"])
    assert model.config_ == recipe
    assert model.metrics_["validation_documents"] == 20
    model = LightDXMLClassifier(**FAST, settings={"patience": 1})
    model.fit(*small, validation_split=0.2)
    assert model.metrics_["validation_documents"] == 30 and model.config_.patience == 1
    with pytest.raises(ValueError, match="Expected a model of lightxml"):
        LightXMLClassifier.from_recipe("lightdxml_debian24k").fit(*small)
    with pytest.raises(ValueError, match="Unknown config key: epoch .did you mean"):
        LightDXMLClassifier(settings={"epoch": 1}).fit(*small)


@pytest.mark.large
def test_a_run_as_a_classifier(tiny_data, parts, tmp_path):
    config = load_config("lightdxml_debian24k", ["epochs=1"])
    train = parts[0].subset(range(100))
    result = fit(config, train, run=tmp_path / "run", progress=False)
    texts = parts[1].texts[:5]
    for model in (
        LightDXMLClassifier.from_run(tmp_path / "run"),
        RunFolder(tmp_path / "run").classifier(),
    ):
        assert isinstance(model, LightDXMLClassifier)
        assert model.recommend(texts) == result.model.recommend(texts)
        assert model.metrics_["P@1"] == pytest.approx(result.metrics["P@1"])
        assert len(model.history_) == 1
        found = model.evaluate(parts[1].texts, parts[1].labels)
        expected = evaluate(result.model, parts[1], train, config)
        assert found["PSP@5"] == pytest.approx(expected["PSP@5"])


@pytest.mark.large
def test_exports_and_explanations(words, parts, tmp_path):
    assert words.export(tmp_path / "exports", k=3) == 1
    words.save(tmp_path / "tagger.keras")
    loaded = LightDXMLClassifier.load(tmp_path / "tagger.keras")
    assert loaded.export(tmp_path / "exports", texts=parts[1].texts[:5]) == 2
    text, labels = parts[1].texts[0], parts[1].labels[0]
    found = words.explain(text, labels[0])
    assert found.documents and found.words and found.label == labels[0]
    with pytest.raises(ValueError, match="documents to look in"):
        loaded.explain(text, labels[0])
    again = loaded.explain(text, labels[0], parts[0].texts[:150], parts[0].labels[:150])
    assert again == found


@pytest.mark.parametrize(
    "X, y, message",
    [
        (["a", "b"], [["x"]], "2 texts, 1 labels"),
        ("a text", [["x"]], "one string"),
        (["a", None, "b"], [["x"]] * 3, "None of type NoneType at place 1"),
        (
            pandas.Series(["a", np.nan, "b"]),
            [["x"]] * 3,
            "nan of type float at place 1",
        ),
        (["a", " ", "b"], [["x"]] * 3, "' ', a blank one, at place 1"),
        (["a"], [["x"]], "at least 3 documents"),
        (["a", "b", "c"], [[], [], []], "Expected labels to train on"),
        (["a", "b", "c"], ["x", ["y"], ["z"]], "'x' at place 0"),
        (["a", "b", "c"], None, "None of type NoneType"),
        (pandas.DataFrame({"a": ["x"] * 3}), [["x"]] * 3, "Pass one column"),
    ],
)
@pytest.mark.parametrize("cls", [LightXMLClassifier, LightDXMLClassifier])
def test_bad_input(cls, X, y, message):
    with pytest.raises(ValueError, match=message):
        cls(verbose=False).fit(X, y)


def test_arguments_that_do_not_fit(words, small):
    for model in (LightDXMLClassifier(), LightXMLClassifier()):
        for call in ("predict", "recommend", "predict_proba"):
            with pytest.raises(NotFittedError, match="is not fitted"):
                getattr(model, call)(["a"])
    with pytest.raises(NotFittedError):
        LightDXMLClassifier().save("tagger.keras")
    with pytest.raises(NotFittedError):
        LightDXMLClassifier().score(["a"], [["x"]])
    for k in (0, -1, 1.5, True, "3"):
        with pytest.raises(ValueError, match="Expected `k`"):
            words.predict(["a"], k=k)
    for ask in (words.recommend, words.predict_proba):
        with pytest.raises(ValueError, match="Expected `k`"):
            ask(["a"], k=None)
    for share in (0, 1, 30, "half"):
        with pytest.raises(ValueError, match="Expected `validation_split`"):
            LightDXMLClassifier(verbose=False).fit(*small, validation_split=share)
    for pair in (5, (*small, small[0]), small[:1]):
        with pytest.raises(ValueError, match="`validation_data` to be a pair"):
            LightDXMLClassifier(verbose=False).fit(*small, validation_data=pair)
    with pytest.raises(ValueError, match="`callbacks` to be a list.*Received: 5"):
        LightDXMLClassifier(verbose=False).fit(*small, callbacks=[5])
    with pytest.raises(ValueError, match="Seed must be between"):
        LightDXMLClassifier(random_state=-1, verbose=False).fit(*small)
    for threshold in (float("nan"), "best", [0.5]):
        with pytest.raises(ValueError, match="Expected a threshold"):
            words.predict(["a"], threshold=threshold)
    with pytest.raises(ValueError, match="Expected texts to evaluate on"):
        words.evaluate([], [])
    with pytest.raises(ValueError, match="Expected epochs to be"):
        LightDXMLClassifier(epochs=0, verbose=False).fit(*small)
    with pytest.raises(ValueError, match="no such encoder"):
        LightXMLClassifier("no such encoder", verbose=False).fit(*small)


@pytest.mark.large
def test_texts_without_labels_are_examples_of_none(small):
    texts, labels = small
    labels = [names if i % 3 else [] for i, names in enumerate(labels)]
    model = LightDXMLClassifier(**FAST).fit(texts, labels)
    assert "" not in model.classes_.tolist()


def test_what_is_chosen_is_shown(small, capsys):
    LightDXMLClassifier(epochs=1, embedding_dim=4, linear=False).fit(*small)
    shown = capsys.readouterr().out
    assert "as set: embedding_dim, linear, epochs" in shown and "Epoch 1 of 1" in shown


def test_a_damaged_file(words, tmp_path):
    path = tmp_path / "tagger.keras"
    words.save(path)
    with zipfile.ZipFile(path) as archive:
        assert "classifier.json" in archive.namelist()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cannot be read"):
        LightDXMLClassifier.load(path)
