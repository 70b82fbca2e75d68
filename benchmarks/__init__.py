"""Programs that measure speed, memory and accuracy."""
