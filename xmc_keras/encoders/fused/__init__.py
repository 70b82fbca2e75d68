"""Operations of a transformer layer, each as one XLA kernel."""
