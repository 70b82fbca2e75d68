"""Checked reading of text files, atomic writing of files and folders."""
