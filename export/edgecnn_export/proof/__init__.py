"""What proves an exported file: parity with Keras, the tolerance of its golden check, runs in a subprocess."""
