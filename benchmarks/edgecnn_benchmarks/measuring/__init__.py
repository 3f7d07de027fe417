"""Measuring: candidates in, rounds of latency, accuracy, memory and cold start, a result out."""
