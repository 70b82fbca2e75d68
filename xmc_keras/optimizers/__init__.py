"""AdamW by rows, and the schedule of its rate."""
