"""The root of the clone."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
