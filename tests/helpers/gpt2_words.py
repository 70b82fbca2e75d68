"""The regular expression that splits a text into GPT-2's words."""

import regex

# From `encoder.py` of openai/gpt-2.
PATTERN = regex.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
