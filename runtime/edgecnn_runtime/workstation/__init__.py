"""What the rooms of a workstation share and no device needs: run folders, prepared image sets, Keras models."""
