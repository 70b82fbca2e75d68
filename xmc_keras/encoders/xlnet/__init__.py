"""XLNet as a keras-nlp backbone."""
