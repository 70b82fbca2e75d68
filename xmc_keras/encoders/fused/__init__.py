"""Operations of a transformer layer, each in one kernel of XLA."""
