#!/usr/bin/python3
"""Writes tests/golden/weights.npz: a network of 2 inputs, 3 hidden units and 1 output, as a user saves it with NumPy.

Run from anywhere: /usr/bin/python3 tests/golden/make_weights_npz.py. Needs NumPy (1.24 made the file in the tree).
"""
import pathlib

import numpy

numpy.savez(pathlib.Path(__file__).with_name("weights.npz"),
            W1=numpy.array([[1.5, -2.0, 0.25], [3.0, 0.5, -1.0]]), b1=numpy.array([0.0, 1.0, -1.0]),
            W2=numpy.array([[2.0], [-0.5], [4.0]], dtype=numpy.float32))
