"""Run folders: the files that training writes."""
