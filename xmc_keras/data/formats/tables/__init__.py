"""Readers of tables: documents with named text and label columns."""
