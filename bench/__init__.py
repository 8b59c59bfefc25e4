"""Every published number; bench/run is the command."""
