"""Server of SavedModels with the interface of TensorFlow Serving."""
