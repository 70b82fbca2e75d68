"""The YAML file of a config."""

import dataclasses
import difflib
import logging

import yaml

from xmc_keras.config.at_most import AtMost
from xmc_keras.config.config import Config
from xmc_keras.config.config_conflicts import (
    find_conflicts,
    reads_key,
    wrong_system,
)
from xmc_keras.config.keys.config_key import (
    convert_value,
    format_value,
    takes_null,
    takes_text,
)
from xmc_keras.config.recipes import find_recipe, recipe_names
from xmc_keras.config.resolve_config import SIZES
from xmc_keras.data.formats.find_format import find_existing
from xmc_keras.data.label_texts import LABEL_TEXTS, LABEL_TITLES
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput

logger = logging.getLogger(__name__)

# Keys that need a file of the data.
FILES = ("validation_by", "label_documents", "titles")
# Their names, if a key is true.
NAMES = {"label_documents": LABEL_TEXTS, "titles": LABEL_TITLES}
FIELDS = {field.name: field for field in dataclasses.fields(Config)}


def load_config(path, overrides=(), resolved=False, data=None) -> Config:
    """Reads a config; a key that the file leaves out has its default.

    A size is `AtMost`, a limit, if the data was replaced after it was chosen: by `data`
    or `overrides`, or by a file for its base. A recipe for 12,000 documents can so be
    used on 200. A size that stands in the file that names the data, or in an override,
    must fit. In the same way `validation_by`, `label_documents` and `titles` have their
    defaults if the other data lacks the file.

    Args:
        path: string or path. A YAML file of one mapping with the keys of `Config`, or
            the name of a recipe of the package, such as `"quickstart"`. The key `base`
            names another such file, relative to this one, or a recipe, for the keys
            that this one leaves out. It may have a base itself.
        overrides: iterable of strings `"key=value"`. They override the file, later ones
            override earlier ones. The value of a key that is text is taken as it is:
            `data=base #1` and `data=2024` need no quotes, but may have them around the
            whole; only `null` means no value where a key may be null. Other values are
            YAML.
        resolved: bool. Whether the file is the `config.yaml` of a run. Those of
            version 0.1.0 list the keys of both systems; those of the other one are
            ignored. Defaults to `False`.
        data: optional string. The folder of the data, which overrides all others.

    Raises:
        BadInput: with file and line, or the override: no such file, invalid YAML, a
            file that is its own base, an unknown or repeated key, a key of the other
            system, a value of a wrong type or out of its limits, a required key that
            is missing, keys that exclude each other.

    Example:

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     recipe = Path(folder, "recipe.yaml")
    ...     _ = recipe.write_text("data: texts\\nencoder: minilm\\nepochs: 2\\n")
    ...     config = load_config(recipe, ["epochs=5", "learning_rate=3e-5"])
    >>> config.data, config.epochs, config.learning_rate
    ('texts', 5, 3e-05)
    """
    path = find_recipe(path)
    entries = _read_file(path) + _entries(overrides)
    if data is not None:
        entries.append(("data", data, (f"setting data={data}", None)))
    if resolved:
        entries = _upgrade(entries)
    return _make_config(entries, path)


def override_config(keys, overrides=()) -> Config:
    """Makes a config of keys and overrides, as `load_config` does of a file.

    Args:
        keys: dictionary of keys and values.
        overrides: iterable of strings, see `load_config`, or a dictionary of keys and
            values.

    Example:

    >>> config = override_config({"encoder": "minilm", "epochs": 2}, ["epochs=5"])
    >>> config.epochs
    5
    """
    entries = [(key, value, ()) for key, value in keys.items()]
    return _make_config(entries + _entries(overrides))


def read_overrides(overrides):
    """Overrides, see `override_config`, as a dictionary; the last value of a key.

    Example:

    >>> read_overrides(["epochs=5", "linear=false"])
    {'epochs': 5, 'linear': False}
    """
    return {key: value for key, value, _ in _entries(overrides)}


def _entries(overrides):
    """Keys, values and places of overrides."""
    if isinstance(overrides, dict):
        return [(key, value, ()) for key, value in overrides.items()]
    return [entry for override in overrides for entry in _read_override(override)]


def read_setting(setting):
    """Reads a string `"key=value"`, as `load_config` reads an override.

    Returns:
        `(key, value)`.

    Raises:
        BadInput: the key is unknown, or the value is not one of the key.

    Example:

    >>> read_setting("learning_rate=3e-5"), read_setting("halve_at=[4, 6]")
    (('learning_rate', 3e-05), ('halve_at', [4, 6]))
    """
    [(key, value, place)] = _read_override(setting)
    return key, _convert(key, value, place)


def _make_config(entries, path=None):
    """Makes a `Config` of keys, values and their places; later ones override.

    A place is a path and a line, or empty.
    """
    values, places = {}, {}
    for key, value, place in entries:
        values[key], places[key] = _convert(key, value, place), place
    system = values.get("system", FIELDS["system"].default)
    for key, place in places.items():
        if not reads_key(system, key):
            place = place or places.get("system", ())
            raise BadInput(wrong_system(key, system), *place)
    for key, field in FIELDS.items():
        if key not in values and field.default is dataclasses.MISSING:
            raise BadInput(
                f"Expected the key {key}, which has no default. Received: a config "
                f"without it. {key}: {field.metadata['help']}",
                path,
            )
        values.setdefault(key, field.default)
    for keys, message in find_conflicts(values):
        found = [places[key] for key in keys if places.get(key)]
        raise BadInput(message, *(found[0] if found else ()))
    for key in keys_for_other_data(entries, SIZES):
        values[key] = values[key] and AtMost(values[key])
    for key in keys_for_other_data(entries, FILES):
        name = NAMES[key] if values[key] is True else values[key]
        if name and values["data"] and not find_existing(values["data"], name):
            left = FIELDS[key].default
            found = format_value(left), values["data"], name
            logger.info("%s: %s, as %s has no %s", key, *found)
            values[key] = left
    return Config(**values)


def _convert(key, value, place):
    """The value of a key, which must exist, with the type of the key."""
    if key not in FIELDS:
        close = difflib.get_close_matches(key, FIELDS, 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise BadInput(
            f"Unknown config key: {key}{hint}.",
            *place,
            remedy="`describe_config` lists all keys.",
        )
    try:
        return convert_value(FIELDS[key], value)
    except ValueError as error:
        raise BadInput(str(error), *place) from None


def keys_for_other_data(entries, keys):
    """Those of some keys that come from an earlier layer than `data`.

    A layer is a file, or all overrides together.
    """
    layers = [
        place[0] if place and not isinstance(place[0], str) else None
        for _, _, place in entries
    ]
    last = {key: i for i, (key, _, _) in enumerate(entries)}
    data = last.get("data", -1)
    return [
        key
        for key in keys
        if key in last and last[key] < data and layers[last[key]] != layers[data]
    ]


def save_config(config: Config, path):
    """Writes every key of the config's system, so that later defaults change nothing.

    The file is written to a temporary place, then renamed: it is whole or missing.

    Example:

    >>> import tempfile
    >>> from pathlib import Path
    >>> config = Config(data="texts", encoder="minilm")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_config(config, Path(folder, "config.yaml"))
    ...     load_config(Path(folder, "config.yaml")) == config
    True
    """
    _write(
        {
            key: int(value) if isinstance(value, AtMost) else value
            for key, value in keys_of_system(config).items()
        },
        path,
    )


def keys_of_system(config: Config):
    """The keys and values of a config, without those of other systems.

    Example:

    >>> keys = keys_of_system(Config(data="texts", encoder="minilm", epochs=4))
    >>> keys["epochs"], "max_leaf" in keys, "num_neighbors" in keys
    (4, True, False)
    """
    return {
        key: value
        for key, value in dataclasses.asdict(config).items()
        if reads_key(config.system, key)
    }


def save_recipe(config: Config, path, comment):
    """Writes a recipe: a comment, and the keys that differ from their defaults.

    Args:
        config: a `Config`.
        path: string or path. The file, which is whole or missing.
        comment: string of one or more lines.

    Example:

    >>> import tempfile
    >>> from pathlib import Path
    >>> config = Config(data="texts", encoder="minilm", epochs=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "recipe.yaml")
    ...     save_recipe(config, path, "Two epochs more.")
    ...     print(path.read_text(), end="")
    ...     load_config(path) == config
    # Two epochs more.
    data: texts
    encoder: minilm
    epochs: 4
    True
    """
    values = dataclasses.asdict(config).items()
    differ = {key: x for key, x in values if x != FIELDS[key].default}
    _write(differ, path, "".join(f"# {line}\n" for line in comment.splitlines()))


def _write(values, path, head=""):
    text = head + yaml.safe_dump(values, sort_keys=False)
    with atomic_write(path) as file:
        file.write(text.encode())


def _read_text(path):
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"Expected UTF-8. Received: byte {error.object[error.start]:#x}.",
            path,
            line,
        ) from None
    except PermissionError as error:
        raise BadInput(
            f"Expected a config file that can be read. Received: {error.strerror}.",
            path,
            remedy="Make it readable.",
        ) from None
    except OSError as error:
        names = sorted(found.name for found in path.parent.glob("*.yaml"))
        there = ", ".join(names) if names else "no config"
        raise BadInput(
            "Expected a config file, or the name of a recipe. Received: "
            f"{error.strerror}. {path.parent} holds {there}; the recipes are "
            f"{', '.join(recipe_names())}.",
            path,
        ) from None


def _read_file(path, above=()):
    """List of (key, value, place) of a file, those of its base first.

    `above` are the files, resolved, that this one is the base of.
    """
    entries = list(_read_entries(_read_text(path), lambda line: (path, line)))
    lines, of_base = {}, []
    for key, value, (_, line) in entries:
        if key in lines:
            raise BadInput(
                f"Expected each key once. Received: {key} on lines {lines[key]} and "
                f"{line}.",
                path,
                line,
            )
        lines[key] = line
        if key != "base":
            continue
        if not isinstance(value, str):
            raise BadInput("Expected base to be the path of a config.", path, line)
        base, above = find_recipe(value, path.parent), (*above, path.resolve())
        if base.resolve() in above:
            raise BadInput(
                "Expected a base that does not lead back here. Received: "
                f"{value}, whose base this file is.",
                path,
                line,
            )
        of_base = _read_file(base, above)
    return of_base + [entry for entry in entries if entry[0] != "base"]


def _compose(text, place):
    """The YAML loader and node of a text; `place(line)` is for errors."""
    try:
        loader = yaml.SafeLoader(text)
        return loader, loader.get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"character {error.character:#x}"
        raise BadInput(f"Expected YAML. Received: {problem}.", *place(line)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadInput(
            f"Expected YAML. Received: {error.problem}.", *place(mark.line + 1)
        ) from None
    except RecursionError:
        raise BadInput("Expected YAML. Received: deep nesting.", *place(1)) from None


def _construct(loader, node, key, where):
    """The value of a YAML node, which is None for an empty text."""
    is_text = key == "base" or (key in FIELDS and takes_text(FIELDS[key]))
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    try:
        value = node and loader.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if is_text and plain:
            value = error  # such as a date that does not exist
        else:
            problem = getattr(error, "problem", error)
            raise BadInput(
                f"Expected {key} to have a value. Received: {problem}.", *where
            ) from None
    if is_text and plain and value is not None and not isinstance(value, str):
        kinds = {bool: "true or false", int: "a number", float: "a number"}
        kind = kinds.get(type(value), "a date")
        raise BadInput(
            f"Expected {key} to be text. Received: {node.value}, which is {kind} in "
            f'YAML. Put it in quotes: {key}: "{node.value}".',
            *where,
        )
    return value


def _read_entries(text, place):
    """Yields (key, value, place) of a YAML mapping; `place(line)` is for errors."""
    loader, node = _compose(text, place)
    if not isinstance(node, yaml.MappingNode):
        raise BadInput(
            "Expected keys with values, such as `epochs: 3`. Received: "
            f"{'an empty file' if node is None else f'a {node.id}'}.",
            *place(1),
        )
    for key_node, value_node in node.value:
        where = place(key_node.start_mark.line + 1)
        if not isinstance(key_node, yaml.ScalarNode):
            raise BadInput(f"Expected a key. Received: a {key_node.id}.", *where)
        key = key_node.value
        yield key, _construct(loader, value_node, key, where), where


def _read_override(override):
    key, equals, text = override.partition("=")
    key, text = key.strip(), text.strip()
    place = f"setting {' '.join(override.splitlines())}", None
    if not key or not equals:
        raise BadInput("Expected key=value, such as epochs=3.", *place)
    if key in FIELDS and takes_text(FIELDS[key]):
        value = None if text == "null" and takes_null(FIELDS[key]) else _unquote(text)
        return [(key, value, place)]
    loader, node = _compose(text, lambda line: place)
    return [(key, _construct(loader, node, key, place), place)]


def _unquote(text):
    """The text without quotes around the whole, read as YAML.

    >>> _unquote("'a #1'"), _unquote("a #1"), _unquote("'a' or 'b'"), _unquote("'")
    ('a #1', 'a #1', "'a' or 'b'", "'")
    """
    if text[:1] not in ("'", '"'):
        return text
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError:
        return text
    whole = isinstance(node, yaml.ScalarNode) and node.end_mark.index == len(text)
    return node.value if whole else text


def _upgrade(entries):
    """Entries of a resolved config, also of one that version 0.1.0 wrote."""
    systems = [value for key, value, _ in entries if key == "system"]
    system = systems[-1] if systems else FIELDS["system"].default
    found = []
    for key, value, place in entries:
        if key in FIELDS and not reads_key(system, key):
            continue
        if key == "halve_at" and isinstance(value, (str, int)):
            value = [int(epoch) for epoch in str(value).split(",")]
        found.append((key, value, place))
    return found
