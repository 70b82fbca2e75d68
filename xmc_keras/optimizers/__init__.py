"""Row-wise AdamW, its loss scaling and its learning rate schedule."""
