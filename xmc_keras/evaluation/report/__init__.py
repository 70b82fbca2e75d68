"""What trainers/report.py is made of: figures first, then pictures, then the page."""
