"""Download a benchmark set of the papers and check it, or check an existing folder.

    xmc download eurlex4k
    xmc download amazon670k --check data/Amazon-670K

NAME is eurlex4k, wiki31k, amazoncat13k, wiki500k or amazon670k, like the recipes. The
archive comes from PECOS's collection at archive.org, which has texts, labels and label
names of the same documents; it goes to data/downloads, and its texts and labels go to
the folder that the recipe names. An interrupted command can be repeated and continues.

The check compares documents, labels and labels per document with Table 2 of the paper:
the numbers of documents have to be the same, unusable documents included; the others
may differ by 1 %, because copies of the sets differ in labels without documents.
--check reads a folder in any format of xmc prepare, such as the one that AttentionXML
publishes.
"""

import logging

from xmc_keras.cli.data.prepare import format_summary, leave_warnings_to_summary
from xmc_keras.cli.program import command_parser
from xmc_keras.data.downloads.benchmark_sets import SETS
from xmc_keras.data.downloads.download_set import check_set, download_set

logger = logging.getLogger("download")


def main(argv=None):
    parser = command_parser("download", __doc__)
    parser.add_argument("name", choices=SETS, metavar="NAME", help=", ".join(SETS))
    parser.add_argument("--data", default="data", help="the folder of data sets (data)")
    parser.add_argument(
        "--check", metavar="FOLDER", help="check this folder, download nothing"
    )
    args = parser.parse_args(argv)
    if args.check:
        check_set(args.name, args.check)
        logger.info("%s has the documents and labels of the paper", args.check)
    else:
        leave_warnings_to_summary()
        print(format_summary(download_set(args.name, args.data)))
        logger.info("The sizes match the paper. Train with: xmc fit %s", args.name)
