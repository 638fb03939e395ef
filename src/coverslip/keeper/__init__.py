"""The keeper: what an installation does by itself, on time, whatever else is going on."""
