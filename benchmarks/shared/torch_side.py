"""LightXML and one-vs-all in plain PyTorch as sides of a benchmark, see `sides.py`.

LightXML computes the same as the published code, rewritten: every label embedding is a
row of an `nn.Embedding` with a dense gradient, AdamW updates all rows, and each
document gathers the rows of its own candidates. `torch_one_vs_all.py` has the other.
They need an environment of their own:

    python -m venv .torch
    .torch/bin/pip install torch==2.13.0 transformers==4.57.1
"""

import time

import torch
import transformers
from torch import nn

from benchmarks.shared import sides
from benchmarks.shared.random_batches import random_batches, rectangle
from benchmarks.shared.torch_one_vs_all import OneVsAll
from xmc_keras.training.memory import measure_peak_memory

LAYERS = 5


class LightXML(nn.Module):
    def __init__(self, shape, encoder):
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(0.5)
        self.top_k = shape["top_k"]
        self.labels = shape["labels"]
        if not self.labels:
            return
        dim = LAYERS * encoder.config.hidden_size
        clusters = rectangle(shape["labels"], shape["clusters"])
        table = torch.as_tensor(clusters, dtype=torch.long)
        self.register_buffer("table", table)
        of_label = torch.empty(shape["labels"], dtype=torch.long)
        rows, columns = torch.nonzero(table >= 0, as_tuple=True)
        of_label[table[rows, columns]] = rows
        self.register_buffer("cluster_of", of_label)
        self.generator = nn.Linear(dim, len(clusters))
        self.bottleneck = nn.Linear(dim, shape["bottleneck"])
        self.embed = nn.Embedding(shape["labels"], shape["bottleneck"])
        nn.init.xavier_uniform_(self.embed.weight)

    def forward(self, token_ids, mask, label_ids=None):
        states = self.encoder(token_ids, mask, output_hidden_states=True).hidden_states
        features = torch.cat([s[:, 0] for s in states[-LAYERS:]], dim=-1)
        features = self.dropout(features)  # (batch, dim)
        if not self.labels:
            return features.square().mean()
        cluster_logits = self.generator(features)
        order = torch.sigmoid(cluster_logits.detach())
        if label_ids is not None:
            held = label_ids >= 0
            own = self.cluster_of[label_ids.clamp(min=0)]
            target = torch.zeros_like(order)
            target[held.nonzero()[:, 0], own[held]] = 1
            order = order + target
        scores, kept = torch.topk(order, self.top_k)
        candidates = self.table[kept].flatten(1)  # (batch, top_k * size)
        real = candidates >= 0
        candidates = candidates.clamp(min=0)
        rows = self.embed(candidates)  # (batch, candidates, bottleneck)
        logits = torch.bmm(rows, self.bottleneck(features).unsqueeze(-1)).squeeze(-1)
        if label_ids is None:
            of_cluster = scores.repeat_interleave(self.table.shape[1], dim=1)
            found = torch.sigmoid(logits) * of_cluster * real
            best = torch.topk(found, min(100, found.shape[1])).indices
            return candidates.gather(1, best)
        positive = (candidates[:, :, None] == label_ids[:, None]).any(-1) & real
        loss = nn.functional.binary_cross_entropy_with_logits
        return loss(cluster_logits, target) + loss(logits, positive.float())


class TorchSide:
    """On the GPU where there is one, and with the `precision` of the shape."""

    def __init__(self, shape):
        torch.manual_seed(0)
        transformers.logging.set_verbosity_error()
        if "layers" in shape:
            encoder = random_bert(shape)
        else:
            encoder = transformers.AutoModel.from_pretrained(
                shape["encoder_folder"], add_pooling_layer=False
            )
        self.shape = {**shape, "vocabulary_size": encoder.config.vocab_size}
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        systems = {"lightxml": LightXML, "one_vs_all": OneVsAll}
        self.model = systems[shape["system"]](shape, encoder).to(self.device)
        plain = ("bias", "LayerNorm.weight")
        groups = [
            {"params": [], "weight_decay": 0.01},
            {"params": [], "weight_decay": 0.0},
        ]
        for name, weight in self.model.named_parameters():
            groups[name.endswith(plain)]["params"].append(weight)
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4)

    def peak_gb(self):
        """Peak memory, of the GPU where there is one."""
        if self.device == "cuda":
            return torch.cuda.max_memory_allocated() / 1e9
        return measure_peak_memory()

    def _tensors(self, batch):
        names = ("token_ids", "padding_mask", "label_ids")
        return [torch.as_tensor(batch[n]).long().to(self.device) for n in names]

    def _ask(self, batch):
        half = self.shape["precision"] == "mixed_bfloat16"
        with torch.autocast(self.device, torch.bfloat16, enabled=half):
            return self.model(*batch)

    def start_training(self):
        self.model.train()
        self.batches = [self._tensors(b) for b in random_batches(self.shape, 8)]
        self.turn = 0

    def train(self):
        batch = self.batches[self.turn % len(self.batches)]
        self.turn += 1
        start = time.perf_counter()
        loss = self._ask(batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        loss.item()
        return time.perf_counter() - start

    def start_prediction(self):
        self.model.eval()
        (batch,) = random_batches(self.shape, 1)
        self.batch = self._tensors(batch)[:2]

    @torch.inference_mode()
    def predict(self):
        start = time.perf_counter()
        self._ask(self.batch).cpu()
        return time.perf_counter() - start


def random_bert(shape):
    """A BERT of `layers` and `hidden` with random weights."""
    config = transformers.BertConfig(
        num_hidden_layers=shape["layers"],
        hidden_size=shape["hidden"],
        num_attention_heads=max(1, shape["hidden"] // 64),
        intermediate_size=4 * shape["hidden"],
    )
    return transformers.BertModel(config, add_pooling_layer=False)


if __name__ == "__main__":
    sides.answer(TorchSide)
