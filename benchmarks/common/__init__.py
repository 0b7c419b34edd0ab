"""What measurements share: provenance, data, ports, kept answers of a model."""
