"""Teachers: trained generators of any origin, as one kind of model."""
