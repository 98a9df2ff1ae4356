"""Configuration: YAML to frozen, typed models, and from there to plain constructor arguments."""
