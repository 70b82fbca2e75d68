"""The benchmark sets of the papers, downloaded and checked."""
