"""The rows of a table, dealt out over replicas."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class RowShards:
    """The rows of a table, dealt out over replicas: a shard for each of them.

    Groups of `group` rows, such as the labels of a cluster, stay together and are dealt
    out in turns: group `g` is on replica `g % replicas`. All shards have the same
    number of rows; those after the last group are pads, zeros that nothing reads.

    Args:
        num_rows: int. Rows of the whole table.
        replicas: int.
        group: int. Rows that stay together. Defaults to `1`.

    Attributes:
        groups: int. Groups of the whole table.
        rows: int. Rows of a shard, `ceil(groups / replicas) * group`.

    Example:

    >>> shards = RowShards(num_rows=10, replicas=2, group=2)
    >>> shards.rows, shards.owned(1).tolist()
    (6, [2, 3, 6, 7, -1, -1])
    >>> shards.place(7)
    (1, 3)
    """

    num_rows: int
    replicas: int
    group: int = 1

    @property
    def groups(self):
        return -(-self.num_rows // self.group)

    @property
    def rows(self):
        return -(-self.groups // self.replicas) * self.group

    def place(self, rows):
        """Where rows of the whole table are.

        Args:
            rows: int, or an int array or tensor of any shape, without pads.

        Returns:
            `(replica, place)`: of the same shape, the replica that has each row, and
            its place in that replica's shard.
        """
        groups = rows // self.group
        places = groups // self.replicas * self.group + rows % self.group
        return groups % self.replicas, places

    def owned(self, replica):
        """The rows of the whole table in a shard, int64 (rows,), `-1` for pads."""
        places = np.arange(self.rows)
        groups = places // self.group * self.replicas + replica
        rows = groups * self.group + places % self.group
        return np.where(rows < self.num_rows, rows, -1)

    def shard(self, table, replica):
        """The shard (rows, ...) of a replica, from a whole table (num_rows, ...)."""
        owned = self.owned(replica)
        shard = table[np.maximum(owned, 0)]
        shard[owned < 0] = 0
        return shard

    def join(self, shards):
        """The whole table (num_rows, ...), from the shards of all replicas in order."""
        table = np.empty((self.num_rows, *shards[0].shape[1:]), shards[0].dtype)
        for replica, shard in enumerate(shards):
            owned = self.owned(replica)
            table[owned[owned >= 0]] = shard[owned >= 0]
        return table
