"""The recipes that come with the package."""

from pathlib import Path


def recipes_folder():
    """The folder of the recipes: of the installed package, or `configs/` of a clone."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "configs"


def recipe_names():
    """The names of the recipes, sorted.

    Example:

    >>> "quickstart" in recipe_names()
    True
    """
    return sorted(path.stem for path in recipes_folder().glob("*.yaml"))


def find_recipe(path):
    """The path of a config file, or of the recipe with this name.

    A file of this path comes first; a path that is neither is returned as it is.

    Example:

    >>> find_recipe("quickstart").name
    'quickstart.yaml'
    """
    path = Path(path)
    recipe = recipes_folder() / f"{path}.yaml"
    is_name = len(path.parts) == 1 and not path.suffix
    return recipe if is_name and not path.is_file() and recipe.is_file() else path
