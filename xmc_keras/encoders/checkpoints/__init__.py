"""Reading pretrained weights in Hugging Face's format."""
