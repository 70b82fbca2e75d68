"""Labels added to models, removed and renamed, against the scores of before."""

import keras
import numpy as np
import pytest

from tests.helpers import tiny_lightdxml
from tests.helpers.answers import ask, check_rows, names_and_scores
from tests.helpers.served_lightxml import make_model
from tests.recommending.test_hybrid import make_hybrid
from xmc_keras.data.documents import Documents
from xmc_keras.data.inputs import build_inputs
from xmc_keras.evaluation.ensemble.member_scores import MemberScores
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.graph.serving_module import ServingModule

NAMES = tiny_lightdxml.NAMES
TEXTS = ["sea sky", "a b sky sky air mud", "c mud", "mud sun sea sky", "air d e f sun"]
EXAMPLES = {"new one": ["sea mud sun", "mud a"], "new two": ["sky air", "air d"]}
REPLAY = Documents(
    [*TEXTS, *EXAMPLES["new one"], "sun sun", "b c"],
    [["p"], ["q"], ["r", "p"], ["s"], ["t"], ["u"], ["p"], ["q"], ["t"]],
)


def make_one_label():
    model = make_model(0, NAMES, np.arange(6)[:, None], top_k=6, ranker=False)
    model.recommend(TEXTS, k=4)
    return model


def make_one_vs_all():
    from xmc_keras.one_vs_all.one_vs_all import OneVsAll
    from xmc_keras.one_vs_all.one_vs_all_head import OneVsAllHead

    other = make_model(0, NAMES, [[0, 3, 5], [1, 4, 2]])
    head = OneVsAllHead(6, 4, bottleneck_dim=3, initial_probability=0.1)
    model = OneVsAll(
        other.encoder, head, other.tokenizer, other.max_tokens, NAMES, num_predictions=5
    )
    model.recommend(TEXTS, k=4)
    for number, block in enumerate(head.blocks):
        block.assign(keras.random.normal(block.shape, seed=number))
    return model


MODELS = {
    "LightXML": lambda: make_model(0, NAMES, [[0, 3, 5], [1, 4, 2]]),
    "one label": make_one_label,
    "OneVsAll": make_one_vs_all,
    "LightDXML": lambda: tiny_lightdxml.make_lightdxml(
        candidates_from="classifier", beta=1.0
    ),
    "with words": lambda: tiny_lightdxml.make_with_words(
        candidates_from="classifier", beta=1.0
    ),
    "with linear": tiny_lightdxml.make_with_linear,
    "Hybrid": make_hybrid,
}


DEFAULT = "LightXML", "Hybrid"


def marked(names):
    """The models by name, of which those that are not `DEFAULT` are tested as large."""
    large = pytest.mark.large
    return [pytest.param(x, marks=() if x in DEFAULT else large) for x in names]


@pytest.fixture(scope="module", params=marked(MODELS))
def model(request):
    made = MODELS[request.param]()
    made.recommend(TEXTS, k=4)
    return made


@pytest.fixture(scope="module")
def added(model):
    return model.add_labels(EXAMPLES, REPLAY)


def scores(model, names):
    """Scores (texts, names) of labels, whether or not they are ranked."""
    ids = np.array([model.label_set.id(name) for name in names], "int32")
    member = MemberScores(model, build_inputs(model, TEXTS))
    return member.scores_of(np.tile(ids, (len(TEXTS), 1)))


def weights_of(model):
    return [np.array(weight) for weight in model.weights]


def test_old_labels_keep_their_scores(model, added):
    before = weights_of(model)
    assert added.label_set.names == [*NAMES, "new one", "new two"]
    np.testing.assert_array_equal(scores(added, NAMES), scores(model, NAMES))
    again = model.add_labels(EXAMPLES, REPLAY)
    for own, other in zip(weights_of(added), weights_of(again)):
        np.testing.assert_array_equal(own, other)
    for own, other in zip(weights_of(model), before):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("model", marked(["with words", "with linear"]), indirect=True)
def test_new_labels_fit_their_documents(model, added):
    """They score their own documents higher than the others, on average."""
    names = list(EXAMPLES)
    texts = [text for own in EXAMPLES.values() for text in own]
    ids = np.array([added.label_set.id(name) for name in names], "int32")
    member = MemberScores(added, build_inputs(added, texts))
    found = member.scores_of(np.tile(ids, (len(texts), 1)))
    assert found[:2, 0].mean() > found[2:, 0].mean()
    assert found[2:, 1].mean() > found[:2, 1].mean()
    ranked = [name for row in added.recommend(texts, k=4) for name, _ in row]
    assert set(names) & set(ranked)


def test_removed_labels_leave_the_others(model, added):
    names = ["r", "new two", "t", "new one", "u"]
    fewer = added.remove_labels(["p", "s", "q"])
    assert fewer.label_set.names == [n for n in added.label_set.names if n in names]
    np.testing.assert_array_equal(scores(fewer, names), scores(added, names))
    assert not {"p", "s", "q"} & {
        n for row in fewer.recommend(TEXTS, k=4) for n, _ in row
    }
    back = added.remove_labels(list(EXAMPLES))
    np.testing.assert_array_equal(scores(back, NAMES), scores(model, NAMES))
    check_rows(back.recommend(TEXTS, k=4), model.recommend(TEXTS, k=4))


def test_renamed_labels(model):
    renamed = model.rename_labels({"q": "r", "r": "q", "s": "sea"})
    assert renamed.label_set.names == ["p", "r", "q", "sea", "t", "u"]
    other = {"q": "r", "r": "q", "s": "sea"}
    assert renamed.recommend(TEXTS, k=4) == [
        [(other.get(name, name), score) for name, score in row]
        for row in model.recommend(TEXTS, k=4)
    ]


def test_a_file_and_an_export_of_it(added, tmp_path):
    added.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    check_rows(loaded.recommend(TEXTS, k=4), added.recommend(TEXTS, k=4))
    module = ServingModule([added], k=4)
    found = names_and_scores(ask(module, "serving_default", text=TEXTS))
    check_rows(found, added.recommend(TEXTS, k=4))


def test_without_old_documents(model):
    found = model.add_labels({"new": ["sea sky a b"]})
    assert found.label_set.names == [*NAMES, "new"]
    np.testing.assert_array_equal(scores(found, NAMES), scores(model, NAMES))


@pytest.mark.parametrize(
    "examples,said",
    [
        ({"q": ["sea"]}, "Received: 'q', which exists"),
        ({"new": []}, "at least one text for 'new'"),
        ({"new": "sea"}, "one string"),
        ({"new": ["sea", " "]}, "a blank one"),
        ({"new": ["!?"]}, "a word that the model knows for 'new'"),
        ({" new": ["sea"]}, "white space"),
        ({"": ["sea"]}, "white space"),
        ({}, "a dictionary"),
        (["new"], "a dictionary"),
    ],
)
def test_bad_examples(examples, said):
    model = tiny_lightdxml.make_lightdxml()
    with pytest.raises(BadInput, match=said):
        model.add_labels(examples)


def test_documents_of_another_vocabulary():
    model = tiny_lightdxml.make_lightdxml()
    with pytest.raises(BadInput, match="documents with others"):
        model.add_labels({"new": ["sea a"]}, Documents(["sea"], [["elsewhere"]]))


@pytest.mark.parametrize(
    "change,said",
    [
        (lambda model: model.remove_labels(["x"]), "one of the 6 labels"),
        (lambda model: model.remove_labels("p"), "a string"),
        (lambda model: model.remove_labels(NAMES), "a label that stays"),
        (lambda model: model.rename_labels({"x": "y"}), "one of the 6 labels"),
        (lambda model: model.rename_labels({"p": "q"}), "no other label has"),
        (lambda model: model.rename_labels({"p": " "}), "white space"),
        (lambda model: model.rename_labels(["p"]), "a dictionary"),
    ],
)
def test_bad_names(change, said):
    model = tiny_lightdxml.make_lightdxml()
    with pytest.raises(BadInput, match=said):
        change(model)


WRONG = ["sea sky a", "mud b sun", "air d"]
RIGHT = [["u", "p"], ["q"], ["t", "newest"]]


def test_learning_from_corrections(model):
    """The scores of the corrections fit their labels better, all ten best of them."""
    before = weights_of(model)
    learnt = model.learn(WRONG, RIGHT, REPLAY)
    assert learnt.label_set.names == [*NAMES, "newest"]
    for own, other in zip(weights_of(model), before):
        np.testing.assert_array_equal(own, other)
    ids = np.tile(np.arange(len(NAMES), dtype="int32"), (len(WRONG), 1))
    applies = np.array([[name in names for name in NAMES] for names in RIGHT])
    losses = []
    for each in (model, learnt):
        found = MemberScores(each, build_inputs(each, WRONG)).scores_of(ids)
        right = np.where(applies, found, 1 - found)
        losses.append(-np.log(np.maximum(right, 1e-7)).mean())
    assert losses[1] < losses[0]
    again = model.learn(WRONG, RIGHT, REPLAY)
    for own, other in zip(weights_of(learnt), weights_of(again)):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize(
    "texts,labels,said",
    [
        (["sea"], [], "one list of labels per text"),
        (["sea"], ["p"], "a list of label names"),
        ("sea", [["p"]], "one string"),
        ([], [], "texts to learn from"),
        ([" "], [["p"]], "a blank one"),
        (["sea"], [[" x"]], "white space"),
        (["!?"], [["new"]], "a word that the model knows for 'new'"),
    ],
)
def test_bad_corrections(texts, labels, said):
    with pytest.raises(BadInput, match=said):
        tiny_lightdxml.make_lightdxml().learn(texts, labels)
