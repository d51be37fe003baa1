"""Every statement on the tables of privacy rights."""
