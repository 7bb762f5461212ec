"""Documents: loading and describing them."""
