"""XLNet as a backbone."""
