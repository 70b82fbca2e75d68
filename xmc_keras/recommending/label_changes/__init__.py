"""Labels of a trained model: adding, removing and renaming them."""
