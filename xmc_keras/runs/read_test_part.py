"""Reading the documents that runs are evaluated on."""

from xmc_keras.data.check_documents import check_reads_texts
from xmc_keras.data.documents import read_pair
from xmc_keras.data.splits import read_part


def read_test_part(
    run, data=None, texts=None, labels=None, filter=None, skip_bad_lines=False
):
    """Reads the test part of a run's data, or other files of texts and labels.

    Args:
        run: a `RunFolder`.
        data: optional string or path. The folder of the run's data, if it was moved.
        texts, labels, filter: optional strings or paths of other files, see
            `read_pair`. `texts` and `labels` come together, `filter` with them.
        skip_bad_lines: bool. Whether to leave out and count bad documents. Defaults to
            `False`.

    Returns:
        `Documents` or `FeatureDocuments`.

    Raises:
        BadInput: see `read_part` and `read_pair`; or `texts` are given and the run was
            trained on features.
    """
    if not texts:
        folder = run.data_folder(data)
        return read_part(folder, "test", skip_bad_lines, run.num_features())
    check_reads_texts(run)
    return read_pair(texts, labels, skip_bad_lines, filter)
