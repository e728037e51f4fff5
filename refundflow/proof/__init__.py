"""The log of all entries: its Merkle tree, signed checkpoints, proofs, and how they leave the database."""
