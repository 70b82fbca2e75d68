"""Sample of test documents in the report, with right and wrong labels marked."""

import numpy as np

from xmc_keras.evaluation.report.html_table import escape

DOCUMENTS, LETTERS = 20, 600


def format_documents(reports, documents, relevant, names, k=5):
    """A random sample of documents, with the first `k` predictions of each run.

    The other arguments are the same as in `make_page`.
    """
    sample = np.random.default_rng(0).permutation(len(documents))[:DOCUMENTS]
    cards = []
    for i in np.sort(sample).tolist():
        right = relevant.indices[relevant.indptr[i] : relevant.indptr[i + 1]].tolist()
        predicted = [
            [
                (label, score)
                for label, score in zip(r.label_ids[i, :k].tolist(), r.scores[i, :k])
                if label >= 0
            ]
            for r in reports
        ]
        found = {label for labels in predicted for label, _ in labels}
        lines = [
            format_line(
                "labels of the document",
                [
                    format_chip(names[j], "found" if j in found else "missed")
                    for j in right
                ],
            )
        ]
        for report, labels in zip(reports, predicted):
            chips = [
                format_chip(names[j], "right" if j in right else "wrong", score)
                for j, score in labels
            ]
            lines.append(format_line(report.name, chips))
        cards.append(
            f'<div class="document"><p>{format_text(documents, i)}</p>'
            f'<div class="labels">{"".join(lines)}</div></div>'
        )
    which = "the run" if len(reports) == 1 else "any run"
    return (
        f"<h2>{len(cards)} test documents</h2><p>A random sample. Of the first {k} "
        "predictions, right ones have a ✓ and wrong ones a ✗, with their scores in "
        "percent. A label of the document with a dashed border is not among the first "
        f"{k} predictions of {which}.</p>" + "\n".join(cards)
    )


def format_text(documents, i):
    if getattr(documents, "features", None) is not None:
        count = documents.features[i].nnz
        return f"<small>Document {i + 1}: {count} features, no text.</small>"
    text = documents.texts[i]
    cut = text if len(text) <= LETTERS else text[:LETTERS].rstrip() + " …"
    return f"<small>{i + 1}.</small> {escape(cut)}"


def format_line(name, chips):
    chips = "".join(chips) or "none"
    return f"<div><small>{escape(name)}</small></div><div>{chips}</div>"


def format_chip(name, kind, score=None):
    mark = {"right": "✓ ", "wrong": "✗ "}.get(kind, "")
    number = "" if score is None else f" <small>{100 * float(score):.0f}</small>"
    return f'<span class="chip {kind}">{mark}{escape(name)}{number}</span>'
