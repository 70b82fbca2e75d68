"""Report of `xmc report`: figures, pictures and the page."""
