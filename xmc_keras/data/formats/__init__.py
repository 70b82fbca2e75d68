"""Readers of what data sets come as: one format a file.

Each reader is an object over one part of a data set that is iterated once and yields
`xmc_keras.data.formats.document.Document`, without holding the part in memory.
`find_parts` tells which format a folder or file has and opens it.
"""
