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


def find_recipe(path, folder=""):
    """The path of a config file, or of the recipe with this name.

    A file of this path, relative to `folder`, comes first; a path that is neither is
    returned as a file.

    Example:

    >>> find_recipe("quickstart").name
    'quickstart.yaml'
    """
    name, path = Path(path), Path(folder, path)
    recipe = recipes_folder() / f"{name}.yaml"
    is_name = len(name.parts) == 1 and not name.suffix
    return recipe if is_name and not path.is_file() and recipe.is_file() else path
