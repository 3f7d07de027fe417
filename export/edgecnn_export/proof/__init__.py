"""What proves an exported file: runs through the runtime, parity with Keras, the tolerance of its golden check."""
