"""From data of any usual form to the folder that training reads."""
