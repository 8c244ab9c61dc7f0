#!/usr/bin/env python3
"""Writes packages/gradus/test/golden/recurrent.json: what PyTorch's recurrent layers and cells compute.

Run: /usr/bin/python3 -W ignore tools/golden_recurrent.py   (PyTorch 1.13 or later; the same numbers every time)
"""

import torch

from golden import normal, snake, stored, write
from golden_calls import call_case

# Type, input size, hidden size, options, shape of the input, whether initial states are given, second derivatives. ------

LAYERS = [
    ("RNN", 3, 4, {}, [5, 2, 3], False, True),
    ("RNN", 3, 4, {"nonlinearity": "relu"}, [4, 2, 3], True, False),
    ("RNN", 3, 4, {"bias": False}, [4, 2, 3], True, False),
    ("RNN", 2, 3, {"numLayers": 2, "bidirectional": True}, [4, 3, 2], True, False),
    ("RNN", 3, 4, {"batchFirst": True}, [2, 5, 3], True, False),
    ("RNN", 3, 4, {}, [5, 3], True, False),
    ("RNN", 3, 4, {}, [1, 1, 3], False, False),
    ("RNN", 1, 1, {}, [3, 2, 1], True, False),
    # More steps than one product of the input takes.
    ("RNN", 2, 3, {}, [70, 2, 2], True, False),
    ("LSTM", 3, 4, {}, [5, 2, 3], False, True),
    ("LSTM", 3, 4, {}, [5, 2, 3], True, False),
    ("LSTM", 3, 4, {"bias": False}, [4, 2, 3], True, False),
    ("LSTM", 3, 4, {"numLayers": 2}, [4, 2, 3], True, False),
    ("LSTM", 3, 4, {"bidirectional": True}, [4, 2, 3], True, False),
    ("LSTM", 2, 3, {"numLayers": 2, "bidirectional": True, "batchFirst": True}, [3, 4, 2], True, False),
    ("LSTM", 3, 5, {"projSize": 2}, [4, 2, 3], True, False),
    ("LSTM", 3, 4, {"projSize": 2, "numLayers": 2, "bidirectional": True, "bias": False}, [4, 2, 3], True, False),
    ("LSTM", 3, 4, {"projSize": 3}, [4, 2, 3], False, False),
    ("LSTM", 3, 4, {}, [5, 3], True, False),
    ("LSTM", 3, 4, {"batchFirst": True, "numLayers": 2}, [5, 3], False, False),
    ("LSTM", 3, 4, {"projSize": 2, "bidirectional": True}, [3, 3], True, False),
    ("LSTM", 3, 4, {}, [1, 2, 3], True, False),
    ("LSTM", 2, 3, {"bidirectional": True}, [40, 2, 2], False, False),
    ("LSTM", 3, 4, {"bidirectional": True}, [4, 0, 3], True, False),
    ("GRU", 3, 4, {}, [5, 2, 3], False, True),
    ("GRU", 3, 4, {}, [5, 2, 3], True, False),
    ("GRU", 3, 4, {"bias": False}, [4, 2, 3], True, False),
    ("GRU", 2, 3, {"numLayers": 2, "bidirectional": True}, [4, 3, 2], True, False),
    ("GRU", 3, 4, {"batchFirst": True, "numLayers": 2}, [2, 4, 3], False, False),
    ("GRU", 3, 4, {"bidirectional": True}, [5, 3], True, False),
    ("GRU", 3, 4, {}, [1, 1, 3], True, False),
    ("GRU", 3, 4, {}, [4, 0, 3], False, False),
]

# Dropout does nothing in evaluation.
EVAL_LAYERS = [
    ("RNN", 3, 4, {"numLayers": 2, "dropout": 0.5}, [4, 2, 3]),
    ("LSTM", 3, 4, {"numLayers": 2, "dropout": 0.5}, [4, 2, 3]),
    ("GRU", 3, 4, {"numLayers": 2, "dropout": 0.5}, [4, 2, 3]),
]

CELLS = [
    ("RNNCell", 3, 4, {}, [2, 3], False),
    ("RNNCell", 3, 4, {"nonlinearity": "relu"}, [2, 3], True),
    ("RNNCell", 3, 4, {"bias": False}, [3], True),
    ("LSTMCell", 3, 4, {}, [2, 3], False),
    ("LSTMCell", 3, 4, {}, [2, 3], True),
    ("LSTMCell", 3, 4, {"bias": False}, [3], True),
    ("LSTMCell", 3, 4, {}, [0, 3], True),
    ("GRUCell", 3, 4, {}, [2, 3], False),
    ("GRUCell", 3, 4, {}, [2, 3], True),
    ("GRUCell", 3, 4, {"bias": False}, [3], True),
    ("GRUCell", 1, 1, {}, [1, 1], True),
]


def state_shapes(kind, hidden, options, shape):
    """The shapes of the state's parts."""
    if kind.endswith("Cell"):
        return [[*shape[:-1], hidden]] * (2 if kind == "LSTMCell" else 1)
    places = options.get("numLayers", 1) * (2 if options.get("bidirectional") else 1)
    batch = [] if len(shape) == 2 else [shape[0 if options.get("batchFirst") else 1]]
    sizes = [options.get("projSize") or hidden] + ([hidden] if kind == "LSTM" else [])
    return [[places, *batch, size] for size in sizes]


def recurrent_case(kind, inputs, hidden, options, shape, with_state, second=False, eval=False):
    module = getattr(torch.nn, kind)(inputs, hidden, **{snake(k): v for k, v in options.items()})
    tensors = [normal(*shape)]
    call = [{"input": 0}]
    if with_state:
        shapes = state_shapes(kind, hidden, options, shape)
        tensors += [normal(*part) for part in shapes]
        call.append([{"input": 1}, {"input": 2}] if len(shapes) == 2 else {"input": 1})
    args = [inputs, hidden] + ([options] if options else [])
    return call_case(kind, args, call, tensors, module, module, second, eval)


def padding_case(lengths, rest, options):
    sequences = [normal(length, *rest) for length in lengths]
    padded = torch.nn.utils.rnn.pad_sequence(sequences, **{snake(k): v for k, v in options.items()})
    return {"sequences": [stored(s) for s in sequences], "options": options, "padded": stored(padded)}


write("recurrent", {
    "layers": [recurrent_case(*row) for row in LAYERS] + [recurrent_case(*row, True, eval=True) for row in EVAL_LAYERS],
    "cells": [recurrent_case(*row) for row in CELLS],
    "padded": [padding_case([3, 1, 2], [2], {}), padding_case([2, 4], [], {"batchFirst": True, "paddingValue": -1.5}),
               padding_case([2], [1, 3], {})],
})
