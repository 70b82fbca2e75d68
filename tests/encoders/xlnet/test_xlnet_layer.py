import keras
import numpy as np
import pytest

from xmc_keras.encoders.xlnet.xlnet_layer import XLNetLayer, shift_to_distances

RNG = np.random.default_rng(0)
STATES = RNG.normal(size=(2, 5, 4)).astype("float32")
POSITIONS = RNG.normal(size=(10, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
CLS = np.array([[0, 0, 0, 0, 1], [0, 0, 1, 0, 0]], "float32")
OTHERS = {"positions": POSITIONS, "padding_mask": MASK, "cls": CLS}


def make(**arguments):
    layer = XLNetLayer(num_heads=2, intermediate_dim=6, **arguments)
    layer.build(STATES.shape)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        if weight.dtype == "float32":
            weight.assign(rng.normal(size=weight.shape, scale=0.5))
    return layer


def normalised(x, layer):
    x = (x - x.mean()) / x.std()
    return x * layer.gamma.numpy() + layer.beta.numpy()


def by_hand(layer, states, positions, cls):
    """One document without padding, pair by pair of tokens."""
    tokens, dim = states.shape
    get = {w.path.split("/")[-1]: w.numpy() for w in layer.weights}
    out = np.zeros((tokens, dim))
    for head in range(2):
        part = {
            name: get[f"{name}_kernel"][:, head]
            for name in ("query", "key", "value", "position", "output")
        }
        bias = {
            name: get[f"{name}_bias"][head]
            for name in ("content", "position", "segment")
        }
        for i in range(tokens):
            query, scores = states[i] @ part["query"], []
            for j in range(tokens):
                distance = positions[tokens - (i - j)]
                score = (query + bias["content"]) @ (states[j] @ part["key"])
                score += (query + bias["position"]) @ (distance @ part["position"])
                segment = get["segments"][int(cls[i] != cls[j]), head]
                scores.append((score + (query + bias["segment"]) @ segment) / 2**0.5)
            weights = np.exp(scores) / np.exp(scores).sum()
            out[i] += (weights @ (states @ part["value"])) @ part["output"].T
    states = np.array([normalised(x, layer.attention_norm) for x in states + out])
    hidden = states @ layer.intermediate.kernel.numpy()
    hidden = np.maximum(hidden + layer.intermediate.bias.numpy(), 0)
    hidden = hidden @ layer.narrow.kernel.numpy() + layer.narrow.bias.numpy()
    return [normalised(x, layer.feedforward_norm) for x in states + hidden]


def test_equals_a_loop_over_pairs():
    layer = make(activation="relu")
    found = layer(STATES, **OTHERS).numpy()
    expected = by_hand(layer, STATES[0], POSITIONS, CLS[0])
    np.testing.assert_allclose(found[0], expected, 1e-4, 1e-4)
    # The distances 3 to -2 of three tokens stand in the middle of ten.
    expected = by_hand(layer, STATES[1, :3], POSITIONS[2:8], CLS[1, :3])
    np.testing.assert_allclose(found[1, :3], expected, 1e-4, 1e-4)


def test_distances():
    scores = RNG.normal(size=(2, 3, 7, 14))
    found = np.asarray(shift_to_distances(keras.ops.convert_to_tensor(scores)))
    for i in range(7):
        for j in range(7):
            np.testing.assert_array_equal(found[..., i, j], scores[..., i, 7 - i + j])


def test_config_and_dropout():
    layer = make(dropout=0.5, activation="relu")
    again = XLNetLayer.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.dropout, again.activation) == (0.5, keras.activations.relu)
    plain = layer(STATES, **OTHERS)
    np.testing.assert_array_equal(layer(STATES, **OTHERS), plain)
    assert np.abs(layer(STATES, **OTHERS, training=True) - plain).max() > 1e-2


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(policy):
    expected = make()(STATES, **OTHERS)
    half = make(dtype=policy)(STATES, **OTHERS)
    assert half.dtype == policy.removeprefix("mixed_")
    np.testing.assert_allclose(np.asarray(half, "float32"), expected, 0.1, 0.1)


def test_width_that_heads_do_not_divide():
    with pytest.raises(ValueError, match="multiple of `num_heads`. Received: 5"):
        XLNetLayer(num_heads=2, intermediate_dim=6).build((None, None, 5))
