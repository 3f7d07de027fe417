"""What the rooms of a workstation share and no device needs: run folders, prepared image sets, Keras models."""

# The share of the training split that is validated on where nobody says otherwise.
VALIDATION_FRACTION = 0.1
