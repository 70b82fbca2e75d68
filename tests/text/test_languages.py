import logging
import re
from pathlib import Path

import keras_nlp
import pytest

from xmc_keras.encoders.pretrained import load_encoder
from xmc_keras.text.languages import (
    find_unknown_language,
    is_foreign,
    knows_english_alone,
    measure_vocabulary,
    warn_of_language,
)

ENGLISH = [
    "A text editor for programs that you can use without a mouse",
    "How to keep bread fresh",
    "The history of the café in Zürich",
    "kerberos kadmin ldap vulnerability http www com security",  # no function words
    "libxml2 0.9",
    "",
]
FOREIGN = [
    "Describimos el caso de un varón con fiebre en la última semana",
    "Suomen kansan vanhat runot ja niiden keruu",
    "Tietojenkäsittelyn perusteet",
    "Die Geschichte der Literatur von den Anfängen bis zur Gegenwart",
    "De geschiedenis van het landschap in de 19e eeuw",
    "Svensk litteraturhistoria för skolan",
    "Türk edebiyatı tarihi",
    "История русской литературы",
    "中国古代文学史研究",
    "مقدمة في تاريخ الأدب العربي",
    "ประวัติศาสตร์วรรณคดีไทย",
    "한국 문학의 역사에 대한 연구",
    "日本文学の歴史 XML",
]


def test_texts_of_other_languages():
    assert not [text for text in ENGLISH if is_foreign(text)]
    assert not [text for text in FOREIGN if not is_foreign(text)]


def test_names_of_the_presets():
    kinds = "Bert", "Roberta", "DistilBert", "Albert", "Electra", "DebertaV3"
    presets = [getattr(keras_nlp.models, f"{kind}Backbone").presets for kind in kinds]
    names = sorted(set().union(*presets))
    english = [name for name in names if re.search("_en(_|$)", name)]
    others = [name for name in names if re.search("_multi$|^multilingual|_zh", name)]
    assert len(english) > 20 and len(others) > 4
    assert [name for name in names if knows_english_alone(name)] == english
    assert not set(english) & set(others)


@pytest.mark.parametrize(
    "name, english",
    [
        ("minilm", True),
        ("hf://bert-base-uncased", True),
        ("hf://google-bert/bert-large-cased", True),
        ("hf://FacebookAI/roberta-large", True),
        ("hf://sentence-transformers/all-MiniLM-L6-v2", True),
        ("models/xlnet-base-cased/", True),
        ("kaggle://keras/bert/keras/bert_base_en_uncased/2", True),
        ("hf://microsoft/deberta-v3-base", True),
        ("hf://microsoft/mdeberta-v3-base", False),
        ("hf://bert-base-multilingual-cased", False),
        ("hf://bert-base-german-cased", False),
        ("hf://FacebookAI/xlm-roberta-base", False),
        ("xlm_roberta_base_multi", False),
        ("hf://TurkuNLP/bert-base-finnish-cased-v1", False),
        ("models/my_encoder", False),
        ("words", False),
    ],
)
def test_names_of_encoders(name, english):
    assert knows_english_alone(name) == english


def test_share_of_texts_of_another_language():
    spanish = FOREIGN[0]
    message = find_unknown_language("minilm", [ENGLISH[0]] * 8 + [spanish] * 2)
    assert message.startswith("2 of 10 texts looked at are not English, and the encod")
    assert "bert_base_multi" in message and "encoder: words" in message
    assert find_unknown_language("minilm", [ENGLISH[0]] * 99 + [spanish]) is None
    assert find_unknown_language("bert_base_multi", [spanish]) is None
    assert find_unknown_language("minilm", []) is None
    many = find_unknown_language("minilm", [spanish] * 2500)
    assert many.startswith("834 of 834 texts looked at")


@pytest.fixture(scope="module")
def tokenizer(minilm):
    return keras_nlp.models.BertTokenizer.from_preset(minilm)


@pytest.mark.parametrize(
    "texts, pieces, unknown",
    [
        (["the bread", "a text, of words!"], 1, 0),
        (["the 東京 京都"], 1, 0),
        (["the 鑫 鑫"], 1, 2 / 3),
        (["", "..."], 1, 0),
        (["\ud800"], 1, 0),
    ],
)
def test_words_of_a_vocabulary(tokenizer, texts, pieces, unknown):
    assert measure_vocabulary(texts, tokenizer) == (pieces, pytest.approx(unknown))


def test_pieces_of_words(tokenizer):
    known = set(tokenizer.get_vocabulary())
    word = "kirjallisuus"
    found, rest = 0, word
    while rest:  # longest first, as WordPiece does
        found += 1
        prefix = "##" if rest != word else ""
        size = max(n for n in range(len(rest) + 1) if prefix + rest[:n] in known)
        rest = rest[size:]
    assert measure_vocabulary([word, f"{word}!"], tokenizer) == (found, 0)


def test_encoders_whose_name_says_nothing(tokenizer):
    # Korean in many pieces, Chinese in unknown ones.
    for text in FOREIGN[11], FOREIGN[8]:
        message = find_unknown_language("models/mine", [text], tokenizer)
        assert message.startswith("The vocabulary of the encoder models/mine")
    assert find_unknown_language("models/mine", ENGLISH, tokenizer) is None
    assert find_unknown_language("models/mine", [], tokenizer) is None


@pytest.mark.parametrize("name, unknown", [("xlnet", 1), ("roberta", 0)])
def test_other_vocabularies(name, unknown):
    folder = Path(__file__).parents[1] / "recorded_encoders" / name
    _, tokenizer = load_encoder(str(folder))
    pieces, found = measure_vocabulary(["東 京", "the"], tokenizer)
    assert pieces > 1 and (found > 0) == unknown  # bytes are never unknown


def test_the_warning(caplog):
    with caplog.at_level(logging.WARNING):
        warn_of_language("minilm", ENGLISH)
        assert not caplog.records
        warn_of_language("minilm", FOREIGN)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
