"""From text to tokens and words."""
