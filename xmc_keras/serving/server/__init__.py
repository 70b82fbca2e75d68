"""A server of SavedModels with the interface of TensorFlow Serving."""
