"""Readers of data set formats, one file per format.

A reader is an iterable over one part of a data set. It is iterated once, yields
`xmc_keras.data.formats.document.Document` and does not hold the part in memory.
`find_format` detects the format of a folder or file, and `find_parts` opens it.
"""
