"""Folders of the clone."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
# Written by PyTorch and Hugging Face, see tests/helpers/record_encoders.py.
RECORDED = PROJECT / "tests/recorded_encoders"
