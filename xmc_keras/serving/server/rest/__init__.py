"""REST interface of TensorFlow Serving."""
