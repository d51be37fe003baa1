"""The kernel knows no product word: it gives modules their ways in, storage, keys, limits and signals."""
