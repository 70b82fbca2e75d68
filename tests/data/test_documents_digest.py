from xmc_keras.data.documents import Documents, documents_digest


def digest(texts, labels):
    return documents_digest(Documents(texts, labels, [1] * len(texts), "t", "l"))


def test_no_border_can_move():
    sets = [
        (["ab", "c"], [["x"], ["y"]]),
        (["a", "bc"], [["x"], ["y"]]),
        (["ab", "c"], [["x", "y"], []]),
        (["abx", "c"], [[""], ["y"]]),
        (["c", "ab"], [["y"], ["x"]]),
        (["ab"], [["x"]]),
    ]
    assert len({digest(*one) for one in sets}) == len(sets)
    assert digest(*sets[0]) == digest(*sets[0])
