"""Training loops: epochs, stages and what comes before and after them."""
