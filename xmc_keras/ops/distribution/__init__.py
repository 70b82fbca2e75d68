"""Training on several devices and machines, on `tf.distribute`."""
