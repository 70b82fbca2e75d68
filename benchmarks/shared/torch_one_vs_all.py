"""One-vs-all in plain PyTorch, with the gradient of its table fused into the step."""

import torch
from torch import nn

GRADIENT_BYTES = 2**26  # of a block's float32 gradient, as in `OneVsAllHead`


class OneVsAll(nn.Module):
    """A step of Renee (float32 table) or ELMO (bfloat16), rewritten.

    It computes what their code does (https://github.com/microsoft/renee,
    https://github.com/xmc-aalto/elmo), with the operations of PyTorch instead of CUDA
    kernels: block by block of labels the logits, their errors, the gradient of the
    feature, and SGD of the block. A bfloat16 table is rounded by a random number of its
    own for each of its numbers. SGD has no momentum.

    Args:
        shape: dictionary of the side, see `sides.py`.
        encoder: a transformer of Hugging Face.
        rate: float. Learning rate of the table.
    """

    def __init__(self, shape, encoder, rate=0.01):
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(0.5)
        self.rate = rate
        dim = encoder.config.hidden_size
        size = max(1, GRADIENT_BYTES // (4 * dim))
        dtype = getattr(torch, shape["table_dtype"])
        for start in range(0, shape["labels"], size):
            rows = torch.empty(min(size, shape["labels"] - start), dim)
            block = rows.normal_(std=0.02).to(dtype)
            self.register_buffer(f"block_{start}", block, persistent=False)

    @property
    def blocks(self):
        """List of tensors (labels of a block, dim)."""
        return [value for name, value in self.named_buffers() if "block_" in name]

    def features(self, token_ids, mask):
        """Features (batch, dim), a mean over tokens."""
        states = self.encoder(token_ids, mask).last_hidden_state
        weights = mask[:, :, None].to(states.dtype)
        pooled = (states * weights).sum(1) / weights.sum(1)
        return self.dropout(pooled)

    def forward(self, token_ids, mask, label_ids=None):
        """Best 100 labels of documents, or in training a loss whose gradient is that of
        the mean over documents of the sum over labels."""
        features = self.features(token_ids, mask)
        if not self.blocks:
            return features.square().mean()
        if label_ids is None:
            return self.best(features)
        gradient = self.descend(features.detach(), label_ids)
        return (features * gradient / len(features)).sum()

    @torch.no_grad()
    def descend(self, features, label_ids):
        """Updates the table; returns the gradient (batch, dim) by the features."""
        gradient = torch.zeros_like(features, dtype=torch.float32)
        start = 0
        for block in self.blocks:
            rows = block.to(features.dtype)
            errors = torch.sigmoid(features @ rows.T)  # (batch, labels)
            places = label_ids - start
            held = (places >= 0) & (places < len(block))
            errors[held.nonzero()[:, 0], places[held]] -= 1
            gradient += errors @ rows
            if block.dtype == features.dtype == torch.float32:
                block.addmm_(errors.T, features, alpha=-self.rate)
            else:
                moved = block.float() - self.rate * (errors.T @ features).float()
                block.copy_(_round(moved))
            start += len(block)
        return gradient

    def best(self, features):
        logits = [features @ block.to(features.dtype).T for block in self.blocks]
        logits = torch.cat(logits, 1)
        return torch.topk(logits, min(100, logits.shape[1])).indices


def _round(rows):
    """Stochastic rounding to bfloat16 of a float32 tensor, in place."""
    bits = rows.view(torch.int32)
    random = torch.empty_like(bits).random_(2**16)
    return bits.add_(random).bitwise_and_(-(2**16)).view(torch.float32).bfloat16()
