"""The controller: a campaign from its configuration to its products."""
