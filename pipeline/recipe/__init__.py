"""Everything that decides a run: its sections, how they are read, what cannot be, plain values."""
