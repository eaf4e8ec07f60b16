"""Tools that models call: what they are, how they are called, and what may follow what in a conversation with them."""
