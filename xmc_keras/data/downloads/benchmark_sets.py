"""The benchmark data sets of the LightXML paper: addresses and statistics."""

from typing import NamedTuple

ARCHIVE = "https://archive.org/download/pecos-dataset/xmc-base/{}.tar.gz"
DRIVE = "https://drive.google.com/open?id={}"
REPOSITORY = "http://manikvarma.org/downloads/XC/XMLRepository.html"


class BenchmarkSet(NamedTuple):
    """A benchmark data set, as in Table 2 of the paper.

    Args:
        folder: string. Its folder in data/, as used in configs/.
        archive: string. Name of its archive in the PECOS collection.
        page: string. Id of its folder on AttentionXML's drive.
        train, test: ints. Number of documents of each part.
        labels: int. Number of labels of both parts together.
        labels_a_document: float. Labels per document in the training part.

    Attributes:
        url: string. Address of the PECOS archive.
        other_url: string. Address of AttentionXML's folder.
    """

    folder: str
    archive: str
    page: str
    train: int
    test: int
    labels: int
    labels_a_document: float

    @property
    def url(self):
        return ARCHIVE.format(self.archive)

    @property
    def other_url(self):
        return DRIVE.format(self.page)


# Statistics: Table 2 of https://arxiv.org/abs/2101.03305. Addresses: README files of
# https://github.com/amzn/pecos and https://github.com/yourh/AttentionXML.
SETS = {
    "eurlex4k": BenchmarkSet(
        "Eurlex-4K",
        "eurlex-4k",
        "1iPGbr5-z2LogtMFG1rwwekV_aTubvAb2",
        *(15_449, 3_865, 3_956, 5.30),
    ),
    "wiki31k": BenchmarkSet(
        "Wiki10-31K",
        "wiki10-31k",
        "1Tv4MHQzDWTUC9hRFihRhG8_jt1h0VhnR",
        *(14_146, 6_616, 30_938, 18.64),
    ),
    "amazoncat13k": BenchmarkSet(
        "AmazonCat-13K",
        "amazoncat-13k",
        "1VwHAbri6y6oh8lkpZ6sSY_b1FRNnCLFL",
        *(1_186_239, 306_782, 13_330, 5.04),
    ),
    "wiki500k": BenchmarkSet(
        "Wiki-500K",
        "wiki-500k",
        "1bGEcCagh8zaDV0ZNGsgF0QtwjcAm0Afk",
        *(1_779_881, 769_421, 501_008, 4.75),
    ),
    "amazon670k": BenchmarkSet(
        "Amazon-670K",
        "amazon-670k",
        "1Xd4BPFy1RPmE7MEXMu77E2_xWOhR1pHW",
        *(490_449, 153_025, 670_091, 5.45),
    ),
}
