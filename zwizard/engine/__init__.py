"""Plan to artefact: layers, the runner, its sandbox and its journal; knows no face."""
