"""What a threshold is chosen for."""

import dataclasses
import numbers

from xmc_keras.files.bad_input import BadInput

# Kinds of targets, and the limits of the number that they need.
KINDS = {
    "f1": None,
    "macro_f1": None,
    "precision": (0, 1),
    "recall": (0, 1),
    "hit": (0, 1),
    "cost": (0, float("inf")),
    "score": (0, 1),
}
SCOPES = ("all", "band", "label")
FORMS = (
    "f1, macro_f1, precision=0.9, recall=0.8, hit=0.9, cost=2, or a score from 0 to 1, "
    "each also with /band or /label"
)


@dataclasses.dataclass(frozen=True)
class Target:
    """What a threshold is chosen for.

    - `f1`, `macro_f1`: the best micro-averaged or macro-averaged F1.
    - `precision=p`: most labels of which a share p is right.
    - `recall=r`: fewest labels that hold a share r of a document's labels, on average:
      conformal risk control, with probability r whatever the model.
    - `hit=h`: fewest labels that hold a label of a document with probability h: split
      conformal prediction.
    - `cost=c`: the least cost, if a wrong label costs c and a missed one 1.
    - `score`: a given score.

    Args:
        kind: one of these names.
        value: float, or None for the kinds that need no number.
        scope: `"all"`: one threshold; `"band"`: one for each band of labels by
            frequency; `"label"`: one for each label with enough validation documents.

    Example:

    >>> Target.parse("precision=0.9/band")
    Target(kind='precision', value=0.9, scope='band')
    >>> Target.parse(0.5).kind
    'score'

    Reference: Angelopoulos et al., Conformal risk control (ICLR 2024,
        https://arxiv.org/abs/2208.02814), equation 4.
    """

    kind: str
    value: float | None = None
    scope: str = "all"

    @classmethod
    def parse(cls, target):
        """Reads a target, a string or a number, or raises `BadInput`."""
        if isinstance(target, cls):
            return target
        wrong = BadInput(
            f"Expected a threshold: {FORMS}. Received: {str(target)!r:.80}."
        )
        if isinstance(target, numbers.Real) and not isinstance(target, bool):
            kind, value, scope = "score", target, "all"
        elif isinstance(target, str):
            name, slash, scope = target.strip().partition("/")
            kind, equals, value = name.partition("=")
            if not equals and kind not in KINDS:
                kind, value = "score", kind
            scope = scope if slash else "all"
            try:
                value = float(value) if value else None
            except ValueError:
                raise wrong from None
        else:
            raise wrong
        if kind not in KINDS or scope not in SCOPES:
            raise wrong
        limits = KINDS[kind]
        if (limits is None) != (value is None) or (kind == "score" and scope != "all"):
            raise wrong
        if limits and not limits[0] <= value <= limits[1]:
            least, most = limits
            words = f"from {least} to {most}" if most == 1 else f"of at least {least}"
            what = "a threshold" if kind == "score" else kind
            raise BadInput(f"Expected {what} {words}. Received: {value:g}.")
        return cls(kind, None if value is None else float(value), scope)

    def __str__(self):
        words = self.kind
        if self.kind == "score":
            return f"{self.value:g}"
        if self.value is not None:
            words += f"={self.value:g}"
        return words if self.scope == "all" else f"{words}/{self.scope}"
