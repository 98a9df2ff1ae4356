"""Recipes that train the networks of this package, one file per network."""
