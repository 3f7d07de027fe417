"""Cameras, videos and network streams: frames in, smoothed labels out."""
