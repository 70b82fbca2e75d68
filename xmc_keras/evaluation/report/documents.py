"""Some test documents of the report, with right and wrong labels marked."""

import numpy as np

from xmc_keras.evaluation.report.html_table import safe

DOCUMENTS, LETTERS = 20, 600


def documents_section(reports, documents, relevant, names, k=5):
    """Documents drawn at random, and the first `k` labels that each run gives them.

    Arguments as of `page`.
    """
    drawn = np.random.default_rng(0).permutation(len(documents))[:DOCUMENTS]
    cards = []
    for i in np.sort(drawn).tolist():
        right = relevant.indices[relevant.indptr[i] : relevant.indptr[i + 1]].tolist()
        given = [
            [
                (label, score)
                for label, score in zip(r.label_ids[i, :k].tolist(), r.scores[i, :k])
                if label >= 0
            ]
            for r in reports
        ]
        found = {label for labels in given for label, _ in labels}
        lines = [
            line(
                "labels of the document",
                [chip(names[j], "found" if j in found else "missed") for j in right],
            )
        ]
        for report, labels in zip(reports, given):
            chips = [
                chip(names[j], "right" if j in right else "wrong", score)
                for j, score in labels
            ]
            lines.append(line(report.name, chips))
        cards.append(
            f'<div class="document"><p>{text_of(documents, i)}</p>'
            f'<div class="labels">{"".join(lines)}</div></div>'
        )
    which = "the run" if len(reports) == 1 else "any run"
    return (
        f"<h2>{len(cards)} test documents</h2><p>Drawn at random. Of the first {k} "
        "labels, those that are right have a ✓ and the wrong ones a ✗, with their "
        "scores in percent. A dashed label of the document is not among the first "
        f"{k} of {which}.</p>" + "\n".join(cards)
    )


def text_of(documents, i):
    if getattr(documents, "features", None) is not None:
        count = documents.features[i].nnz
        return f"<small>Document {i + 1}: {count} features, no text.</small>"
    text = documents.texts[i]
    cut = text if len(text) <= LETTERS else text[:LETTERS].rstrip() + " …"
    return f"<small>{i + 1}.</small> {safe(cut)}"


def line(name, chips):
    chips = "".join(chips) or "none"
    return f"<div><small>{safe(name)}</small></div><div>{chips}</div>"


def chip(name, kind, score=None):
    mark = {"right": "✓ ", "wrong": "✗ "}.get(kind, "")
    number = "" if score is None else f" <small>{100 * float(score):.0f}</small>"
    return f'<span class="chip {kind}">{mark}{safe(name)}{number}</span>'
