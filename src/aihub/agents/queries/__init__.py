"""Every statement on the tables of conversations and runs."""
