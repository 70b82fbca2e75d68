import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xmc_keras.ops.distribution.row_shards import RowShards

SHARDS = st.builds(
    RowShards, num_rows=st.integers(1, 60), replicas=st.integers(1, 9),
    group=st.integers(1, 7),
)  # fmt: skip


def deal_by_hand(shards):
    """The rows of each replica, dealt out like cards."""
    hands = [[] for _ in range(shards.replicas)]
    rows = list(range(shards.num_rows))
    turn = 0
    while rows:
        hands[turn % shards.replicas] += rows[: shards.group]
        rows = rows[shards.group :]
        turn += 1
    return hands


@given(SHARDS)
def test_rows_are_dealt_out_in_turns(shards):
    hands = deal_by_hand(shards)
    most = max(len(hand) for hand in hands)
    assert shards.rows == -(-most // shards.group) * shards.group
    for replica, hand in enumerate(hands):
        owned = shards.owned(replica)
        assert owned[: len(hand)].tolist() == hand
        assert (owned[len(hand) :] == -1).all() and len(owned) == shards.rows
        for place, row in enumerate(hand):
            assert shards.place(row) == (replica, place)


@given(SHARDS, st.sampled_from([(), (1,), (3, 2)]))
def test_shards_join_to_the_whole_table(shards, width):
    table = np.random.default_rng(0).normal(size=(shards.num_rows, *width))
    parts = [shards.shard(table, replica) for replica in range(shards.replicas)]
    assert all(part.shape == (shards.rows, *width) for part in parts)
    for replica, part in enumerate(parts):
        assert not part[shards.owned(replica) < 0].any()
    np.testing.assert_array_equal(shards.join(parts), table)
