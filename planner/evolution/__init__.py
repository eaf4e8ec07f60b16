"""Data generation: new tasks made from seeds by a model, checked, free of copies, with lineage, as a stored run."""
