"""Which labels to accept."""
