"""The proof: an artefact started as a Zero-OS node would start it, and what came of it."""
