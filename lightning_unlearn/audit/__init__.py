"""Whether a model has forgotten: one verdict, with its evidence."""
