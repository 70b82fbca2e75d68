"""SentencePiece vocabularies of 400 pieces, learnt from `corpus_lines`."""

import io
from functools import cache

import keras_nlp
import sentencepiece

from tests.helpers.corpus import corpus_lines

# Special token ids of each kind.
ALBERT = {"pad_id": 0, "unk_id": 1, "bos_id": 2, "eos_id": 3, "pad_piece": "<pad>"}
ALBERT |= {"bos_piece": "[CLS]", "eos_piece": "[SEP]"}
DEBERTA = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3, "pad_piece": "[PAD]"}
DEBERTA |= {"bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
XLM_ROBERTA = {"unk_id": 0, "bos_id": 1, "eos_id": 2}


@cache
def proto(kind, lower=False):
    """The bytes of a vocabulary file of a kind, such as `"albert"`."""
    model = io.BytesIO()
    arguments = {"albert": ALBERT, "deberta": DEBERTA, "xlm_roberta": XLM_ROBERTA}[kind]
    if kind == "albert":
        arguments = {**arguments, "user_defined_symbols": "[MASK]"}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line.lower() if lower else line for line in corpus_lines()),
        model_writer=model,
        vocab_size=400,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
        **arguments,
    )
    return model.getvalue()


def tokenizer(kind, lower=False):
    made = {
        "albert": keras_nlp.models.AlbertTokenizer,
        "deberta": keras_nlp.models.DebertaV3Tokenizer,
        "xlm_roberta": keras_nlp.models.XLMRobertaTokenizer,
    }[kind]
    return made(proto(kind, lower))
