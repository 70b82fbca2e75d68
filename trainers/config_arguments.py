"""The arguments that name a config."""


def add_config(parser):
    """Adds the recipe and `--set`, as `load_config` takes them."""
    parser.add_argument("config", help="a recipe, for example configs/debian24k.yaml")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value for a key of the config; may be given several times",
    )
