"""P@k of ablations, fast training, exported models and linear peers."""
