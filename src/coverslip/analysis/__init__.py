"""Analysis: registered algorithms, run apart from the server, reproducible from their records."""
