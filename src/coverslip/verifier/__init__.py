"""The offline verifier: judges an evidence bundle with the standard library and keys given apart."""
