"""P@k of ablations, fast training and exported models."""
