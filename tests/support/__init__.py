"""What the Python suites share: a hub to talk to, a person who clicks, and the engine's command line."""
