import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.project import PROJECT
from xmc_keras.config.config import Config
from xmc_keras.config.config_file import load_config, save_config
from xmc_keras.config.keys.lightdxml_keys import LightDXMLKeys
from xmc_keras.config.keys.lightxml_keys import LightXMLKeys
from xmc_keras.config.keys.one_vs_all_keys import OneVsAllKeys
from xmc_keras.config.keys.shared_keys import SharedKeys
from xmc_keras.config.keys.transformer_keys import TransformerKeys
from xmc_keras.files.bad_input import BadInput

START = "data: texts\nencoder: minilm\n"  # two lines


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "recipe.yaml"
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        return path

    return write


def message(path, overrides=()):
    with pytest.raises(BadInput) as error:
        load_config(path, overrides)
    text = str(error.value)
    assert "\n" not in text
    return text


def test_missing_keys_have_the_defaults(write):
    assert load_config(write(START)) == Config(data="texts", encoder="minilm")


def test_numbers_in_every_form_of_yaml(write):
    config = load_config(
        write(START + "learning_rate: 1e-4\nweight_decay: 0\nclip_norm: 1.0e+0\n")
    )
    assert config.learning_rate == 1e-4
    assert (config.weight_decay, config.clip_norm) == (0.0, 1.0)
    assert isinstance(config.weight_decay, float)


def test_byte_order_mark_and_crlf(write):
    path = write(b"\xef\xbb\xbf" + START.replace("\n", "\r\n").encode())
    assert load_config(path).data == "texts"


@pytest.mark.parametrize(
    "lines, line, words",
    [
        (
            "swa_strat: 1\n",
            3,
            "Unknown config key: swa_strat (did you mean swa_start?)",
        ),
        ("\n\nzzz: 1\n", 5, "Unknown config key: zzz. `describe_config` lists"),
        ("epochs: three\n", 3, "epochs to be an integer of at least 1. Received: 'thr"),
        ("epochs: 2.5\n", 3, "Received: 2.5."),
        ("epochs: yes\n", 3, "Received: true."),
        ("epochs:\n", 3, "Received: null."),
        ("# more\nepochs: [1, 2]\n", 4, "Received: a list."),
        ("optimizer: {adam: 1}\n", 3, "Received: a mapping."),
        ("optimizer: adamv\n", 3, "(did you mean adamw?)"),
        ("feature_dropout: 1\n", 3, "at least 0 and below 1. Received: 1."),
        ("learning_rate: .nan\n", 3, "Received: nan."),
        ("seed: 1\ntop_k: 2\nseed: 1\n", 5, "seed on lines 3 and 5"),
        ("epochs: 4\nswa_start: 4\n", 4, "swa_start to be below epochs (4)"),
        ("negatives: static\nepochs: 1\n", 4, "recall_epochs to be below epochs"),
        ("epochs: [1\n", 4, "Expected YAML."),
        ("\tepochs: 1\n", 3, "Expected YAML."),
        ("epochs: 1\n---\nepochs: 2\n", 4, "another document"),
        ("epochs: !!python/object:os.system 1\n", 3, "could not determine a constr"),
        ("epochs: 2020-13-45\n", 3, "epochs to have a value"),
        ("? [a]\n: 1\n", 3, "Expected a key. Received: a sequence."),
        ("epochs: *there\n", 3, "undefined alias"),
        ("epochs: \0\n", 3, "character 0x0"),
    ],
)
def test_error_names_path_and_line(write, lines, line, words):
    path = write(START + lines)
    text = message(path)
    assert text.startswith(f"{path}:{line}: ")
    assert words in text


def test_invalid_utf8(write):
    path = write(START.encode() + b"# caf\xe9\n")
    assert message(path) == f"{path}:3: Expected UTF-8. Received: byte 0xe9."


@pytest.mark.parametrize(
    "content, received",
    [
        ("", "an empty file"),
        ("# nothing\n", "an empty file"),
        ("- a\n", "a sequence"),
        ("text\n", "a scalar"),
    ],
)
def test_not_a_mapping(write, content, received):
    text = message(write(content))
    assert f"such as `epochs: 3`. Received: {received}." in text


def test_deep_nesting(write):
    assert "deep nesting" in message(write(START + "epochs: " + "[" * 1500))


def test_required_key(write):
    path = write("data: texts\n")
    assert message(path).startswith(f"{path}: Expected the key encoder")
    assert load_config(path, ["encoder=minilm"]).encoder == "minilm"


@pytest.mark.parametrize(
    "content, line, key, other",
    [
        ("refresh: 2\n", 3, "refresh", "lightdxml"),
        ("epochs: 2\nrefresh: 8\n", 4, "refresh", "lightdxml"),  # its default
        ("system: lightdxml\ntop_k: 9\n", 4, "top_k", "lightxml"),
    ],
)
def test_a_key_of_the_other_system(write, content, line, key, other):
    path = write(START + content)
    text = message(path)
    assert text.startswith(f"{path}:{line}: ")
    assert f"Received: {key}, a key of {other}. Remove it, or set system" in text


def test_the_config_of_a_run_by_version_0_1_0(write):
    """It lists the keys of both systems, and `halve_at` is text."""
    old = "system: lightdxml\nmax_leaf: 7\nschedule: halving\nhalve_at: 2,3\n"
    path = write(START + old)
    config = load_config(path, resolved=True)
    assert (config.max_leaf, config.halve_at) == (100, [2, 3])
    short = write(START + "max_leaf: 7\nrefresh: 2\n")  # lightxml by default
    assert load_config(short, resolved=True).max_leaf == 7
    path = write(START + old)
    assert f"{path}:6: Expected halve_at to be a list" in message(path)
    path = write(START + old.partition("schedule")[0])
    assert f"{path}:4: Expected keys of lightdxml" in message(path)


def test_a_recipe_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = PROJECT / "configs/quickstart.yaml"
    assert load_config("quickstart") == load_config(recipe)
    Path("quickstart").write_text(START)  # a file of this name comes first
    assert load_config("quickstart") == load_config(tmp_path / "quickstart")
    assert "the recipes are amazon670k, " in message("quickstar")


def test_missing_file_error_lists_the_configs(tmp_path):
    for name in ("b.yaml", "a.yaml", "c.txt"):
        (tmp_path / name).write_text(START)
    text = message(tmp_path / "d.yaml")
    assert text.startswith(f"{tmp_path / 'd.yaml'}: Expected a config file, or ")
    assert f"{tmp_path} holds a.yaml, b.yaml; the recipes are amazon670k, " in text
    assert "holds no config" in message(tmp_path / "no" / "d.yaml")


def test_folder_instead_of_a_file(tmp_path):
    assert "Received: Is a directory." in message(tmp_path)


def test_overrides_stand_above_the_file(write):
    path = write(START + "epochs: 2\n")
    overrides = ["epochs=4", "epochs=5", "swa_start=null", "learning_rate=3e-5"]
    config = load_config(path, [*overrides, "encoder=hf://some/model", "data=a=b"])
    assert (config.epochs, config.swa_start, config.learning_rate) == (5, None, 3e-5)
    assert (config.encoder, config.data) == ("hf://some/model", "a=b")


TEXTS = [
    *("base #1", "#1", "2024", "1_000", "0x1F", "1e3", "12:30", "2024-01-31", "1.5"),
    *("on", "no", "yes", "true", "~", "None", "NULL", "nullable", ".nan", "2024-13-45"),
    *("[a]", "{a", "a: b", "a:", "- a", "a=b", "=", "it's", "&a", "*a", "!a", "|", ">"),
    *(
        "@a",
        "`a`",
        "%a",
        "C:\\new\\table",
        "a,b",
        "'a' or 'b'",
        '"',
        "caf\u00e9 \u65e5",
    ),
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_of_an_override_is_taken_as_it_is(write, text):
    path = write(START)
    assert load_config(path, [f"data={text}"]).data == text
    assert load_config(path, [f" data = {text} "]).data == text
    assert load_config(path, [f"encoder={text}"]).encoder == text
    quoted = "data='" + text.replace("'", "''") + "'"
    assert load_config(path, [quoted]).data == text
    assert load_config(path, [f"data={json.dumps(text)}"]).data == text


def test_null_of_an_override(write):
    assert load_config(write(START), ["data=null"]).data is None
    assert load_config(write(START), ['data="null"']).data == "null"
    assert load_config(write(START), ["encoder=null"]).encoder == "null"


@pytest.mark.parametrize(
    "text, kind",
    [
        *((text, "true or false") for text in ("on", "no", "Yes", "off", "true")),
        *((text, "a number") for text in ("2024", "1_000", "0x1F", "12:30", "1.5")),
        *((text, "a date") for text in ("2024-01-31", "2024-13-45")),
    ],
)
@pytest.mark.parametrize("key", ["data", "encoder", "base"])
def test_a_name_that_yaml_reads_as_something_else(write, key, text, kind):
    lines = "".join(li for li in START.splitlines(True) if not li.startswith(key))
    path = write(f"{lines}{key}: {text}  # comment\n")
    line = 1 + lines.count("\n")
    assert message(path) == (
        f"{path}:{line}: Expected {key} to be text. Received: {text}, which is {kind} "
        f'in YAML. Put it in quotes: {key}: "{text}".'
    )
    if key != "base":
        path = write(f'{lines}{key}: "{text}"\n')
        assert getattr(load_config(path), key) == text


@pytest.mark.parametrize(
    "override, words",
    [
        ("epochs", "Expected key=value, such as epochs=3."),
        ("epochs=", "Received: null."),
        ("epochs=x", "Received: 'x'."),
        ("epcohs=1", "Unknown config key: epcohs (did you mean epochs?)."),
        ("=1", "Expected key=value"),
        ("data=", "Expected data to be text, or null. Received: ''."),
        ("system=lightxml # comment", "Received: 'lightxml # comment' (did you mean"),
        ("epochs=3\nseed=4", "Received: '3 seed=4'."),
        ("epochs=on", "Received: true."),
        ("epochs=[1", "Expected YAML."),
        ("swa_start=3", "swa_start to be below epochs (3)"),
    ],
)
def test_error_names_the_override(write, override, words):
    text = message(write(START), [override])
    assert text.startswith(f"setting {' '.join(override.splitlines())}: ")
    assert words in text


def test_error_of_the_file_counts_in_spite_of_an_override(write):
    assert "Received: 0." in message(write(START + "epochs: 0\n"), ["epochs=1"])


@pytest.mark.parametrize(
    "system, own",
    [
        ("lightxml", [TransformerKeys, LightXMLKeys]),
        ("lightdxml", [LightDXMLKeys]),
        ("one_vs_all", [TransformerKeys, OneVsAllKeys]),
    ],
)
def test_saved_file_holds_every_key_of_its_system(tmp_path, system, own):
    config = Config(data="texts", encoder="minilm", system=system)
    save_config(config, tmp_path / "config.yaml")
    lines = (tmp_path / "config.yaml").read_text().splitlines()
    names = [f.name for keys in [SharedKeys, *own] for f in dataclasses.fields(keys)]
    assert [line.split(":")[0] for line in lines] == names


def test_a_list_is_saved_and_read(tmp_path):
    keys = {"schedule": "halving", "halve_at": [1, 2]}
    config = Config(encoder="words", system="lightdxml", **keys)
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config


def test_failed_save_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "config.yaml"
    save_config(Config(data="old", encoder="minilm"), path)

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_config(Config(data="new", encoder="minilm"), path)
    assert load_config(path).data == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["config.yaml"]


@settings(deadline=None, max_examples=60)
@given(
    data=st.text(min_size=1).filter(str.strip),
    rate=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    clip=st.none() | st.floats(1e-9, 1e9),
    compile=st.sampled_from(["auto", True, False]),
    seed=st.integers(0, 2**32 - 1),
)
def test_saved_config_comes_back(tmp_path_factory, data, rate, clip, compile, seed):
    config = Config(
        data=data,
        encoder="minilm",
        learning_rate=rate,
        clip_norm=clip,
        jit_compile=compile,
        seed=seed,
    )
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    save_config(config, path)
    assert load_config(path) == config


def test_a_base_holds_where_the_file_says_nothing(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "first.yaml").write_text(START + "epochs: 2\ntop_k: 3\nseed: 4\n")
    (tmp_path / "deep/second.yaml").write_text("base: ../first.yaml\ntop_k: 5\n")
    third = tmp_path / "third.yaml"
    third.write_text("seed: 6\nbase: deep/second.yaml\n")
    config = load_config(third, ["max_leaf=9"])
    assert (config.epochs, config.top_k, config.seed, config.max_leaf) == (2, 5, 6, 9)
    assert config.data == "texts"
    save_config(config, tmp_path / "saved.yaml")
    assert "base" not in (tmp_path / "saved.yaml").read_text()
    assert load_config(tmp_path / "saved.yaml") == config


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["epochs", "top_k", "seed"]), st.integers(1, 9)
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_chain_of_bases_is_a_union_of_dictionaries(tmp_path_factory, chain):
    folder, expected = tmp_path_factory.mktemp("chain"), {}
    for i, values in enumerate(chain):
        head = f"base: {i - 1}.yaml\n" if i else START
        lines = "".join(f"{key}: {value}\n" for key, value in values.items())
        (folder / f"{i}.yaml").write_text(head + lines)
        expected |= values
    made = Config(data="texts", encoder="minilm", **expected)
    assert load_config(folder / f"{len(chain) - 1}.yaml") == made


def test_a_base_is_a_recipe_of_the_package_unless_a_file_has_its_name(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("base: quickstart\ndata: texts\n")
    assert load_config(path) == load_config("quickstart", ["data=texts"])
    (tmp_path / "quickstart").write_text(START + "epochs: 9\n")
    assert load_config(path).epochs == 9
    path.write_text("base: quickstar\ndata: texts\n")
    assert "the recipes are " in message(path)


def test_errors_of_a_base_name_its_file_and_line(tmp_path):
    base, path = tmp_path / "base.yaml", tmp_path / "recipe.yaml"
    base.write_text(START + "epochs: 0\n")
    path.write_text("# head\nbase: base.yaml\n")
    assert message(path).startswith(f"{base}:3: Expected epochs")
    base.write_text(START)
    path.write_text("base: none.yaml\n")
    assert message(path).startswith(f"{tmp_path / 'none.yaml'}: Expected a config file")
    path.write_text("base: base.yaml\nswa_start: 3\n")
    assert message(path).startswith(f"{path}:2: Expected swa_start")
    path.write_text("epochs: 2\nbase: [a]\n")
    assert message(path).startswith(f"{path}:2: Expected base to be the path")


@pytest.mark.parametrize("length", [1, 3])
def test_a_file_is_not_its_own_base(tmp_path, length):
    for i in range(length):
        (tmp_path / f"{i}.yaml").write_text(f"\nbase: {(i + 1) % length}.yaml\n")
    last = tmp_path / f"{length - 1}.yaml"
    assert message(tmp_path / "0.yaml").startswith(
        f"{last}:2: Expected a base that does not lead back here."
    )
