"""What happens to an image in a convolutional network, and what in it decided the class.

After the lesson "Understanding the Sliding Window" of W. Beckner's General Applications of Neural Networks, session 4,
with the operations named as R. Holbrook does: a convolution filters, ReLU detects, pooling condenses.
"""
