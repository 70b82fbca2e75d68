"""Learning rate schedule with linear warm-up and decay."""

import math

import keras
from keras import ops

# What `decay` is for the values of a config's `schedule`.
DECAYS = {"linear": True, "constant": False, "cosine": "cosine"}


@keras.saving.register_keras_serializable(package="xmc_keras")
class WarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to `peak`, then decay to zero: linear, or along a cosine.

    During the warm-up, step `s` (from 0) has the rate `peak * (s + 1) / warmup_steps`,
    so the first step already learns. The last of `total_steps` still has a rate above
    zero.

    Args:
        peak: float. Maximum learning rate.
        total_steps: int. Number of steps of the run.
        warmup_steps: int. Number of warm-up steps. Defaults to `0`.
        decay: `True`, linear; `"cosine"`; or `False`: the rate stays at `peak` after
            the warm-up. Defaults to `True`.

    Example:

    >>> schedule = WarmupDecay(1.0, total_steps=8, warmup_steps=4)
    >>> [round(float(schedule(step)), 2) for step in range(8)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25]
    """

    def __init__(self, peak, total_steps, warmup_steps=0, decay=True):
        if not 0 <= warmup_steps <= total_steps or total_steps < 1:
            raise ValueError(
                "Expected 0 <= warmup_steps <= total_steps and total_steps >= 1. "
                f"Received: warmup_steps={warmup_steps}, total_steps={total_steps}"
            )
        if decay not in (True, False, "cosine"):
            raise ValueError(
                f'Expected `decay` to be True, False or "cosine". Received: {decay!r}'
            )
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.decay = decay

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rise = (step + 1) / max(self.warmup_steps, 1)
        share = ops.minimum(rise, 1.0)
        if self.decay:
            fall_steps = max(self.total_steps - self.warmup_steps, 1)
            fall = (self.total_steps - step) / fall_steps
            if self.decay == "cosine":
                fall = ops.clip(fall, 0.0, 1.0)
                fall = (1 - ops.cos(math.pi * fall)) / 2
            share = ops.clip(ops.minimum(share, fall), 0.0, 1.0)
        return self.peak * share

    def get_config(self):
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "decay": self.decay,
        }
