"""Conversion of data sets of many formats to the folder that training reads."""
