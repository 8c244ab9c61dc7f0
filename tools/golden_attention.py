#!/usr/bin/env python3
"""Writes packages/gradus/test/golden/attention.json: attention and transformers as PyTorch computes them.

Run: /usr/bin/python3 -W ignore tools/golden_attention.py   (PyTorch 1.13 or later; the same numbers every time)
"""

import math

import torch

from golden import normal, snake, write
from golden_calls import call_case

INFINITY = float("inf")


def causal(queries, keys):
    """True where a query sees a key."""
    return torch.ones(queries, keys, dtype=torch.bool).tril()


def float_mask(*shape):
    """Numbers to add, some of them minus infinity, but none in the first column: every query sees a key."""
    mask = normal(*shape)
    hidden = mask > 0.5
    hidden[..., 0] = False
    return mask.masked_fill(hidden, -INFINITY)


def bool_mask(*shape):
    """True for some, but not in the first column."""
    mask = normal(*shape) > 0.3
    mask[..., 0] = False
    return mask


# Scaled dot-product attention. ----------------------------------------------------------------------------------------

def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    """The definition in PyTorch 2's documentation: PyTorch 1.13 has no such function."""
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.size(-1)) if scale is None else scale)
    if is_causal:
        attn_mask = causal(query.size(-2), key.size(-2))
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -INFINITY) if attn_mask.dtype == torch.bool else scores + attn_mask
    return torch.softmax(scores, -1) @ value


MASK = {"attnMask": {"input": 3}}

# Shapes of query, key and value; options; a mask; second derivatives.
PRODUCTS = [
    ([2, 3, 4, 5], [2, 3, 6, 5], [2, 3, 6, 7], {}, None, True),
    ([4, 5], [6, 5], [6, 5], {}, None, False),
    ([2, 4, 5], [2, 4, 5], [2, 4, 5], {"isCausal": True}, None, True),
    ([2, 3, 5], [2, 6, 5], [2, 6, 5], {"isCausal": True}, None, False),
    ([2, 6, 5], [2, 3, 5], [2, 3, 5], {"isCausal": True}, None, False),
    ([2, 4, 5], [2, 4, 5], [2, 4, 5], {"scale": 0.3}, None, False),
    ([2, 3, 4, 5], [2, 3, 6, 5], [2, 3, 6, 5], MASK, ~bool_mask(4, 6), False),
    ([2, 3, 4, 5], [2, 3, 6, 5], [2, 3, 6, 5], MASK, ~bool_mask(2, 1, 1, 6), False),
    ([2, 3, 4, 5], [2, 3, 6, 5], [2, 3, 6, 5], MASK, normal(2, 3, 4, 6), False),
    ([2, 3, 4, 5], [2, 3, 6, 5], [2, 3, 6, 5], {**MASK, "scale": 1}, float_mask(4, 6), False),
    ([2, 4, 5], [1, 6, 5], [6, 5], {}, None, False),
    ([2, 1, 5], [2, 1, 5], [2, 1, 5], {}, None, False),
    ([0, 4, 5], [0, 6, 5], [0, 6, 5], {}, None, False),
]


def product_case(query, key, value, options, mask, second):
    tensors = [normal(*query), normal(*key), normal(*value)] + ([] if mask is None else [mask])
    call = [{"input": 0}, {"input": 1}, {"input": 2}] + ([options] if options else [])
    return call_case("scaledDotProductAttention", [], call, tensors, scaled_dot_product_attention, None, second)


# Multi-head attention: options; lengths of queries and keys; batch; options of the call; masks; second derivatives. -------

KEY_MASK = {"keyPaddingMask": {"input": 3}}
ATTENTION_MASK = {"attnMask": {"input": 3}}
BOTH = {"attnMask": {"input": 3}, "keyPaddingMask": {"input": 4}}
EACH = {"averageAttnWeights": False}
NONE = {"needWeights": False}

HEADS = [
    ({}, 3, 5, 2, {}, [], True),
    ({}, 3, 5, 2, EACH, [], False),
    ({}, 3, 5, 2, NONE, [], False),
    ({"bias": False}, 3, 5, 2, {}, [], False),
    ({"batchFirst": True}, 3, 5, 2, {}, [], False),
    ({"batchFirst": True}, 3, 5, 2, {**BOTH, **EACH}, [bool_mask(3, 5), bool_mask(2, 5)], False),
    ({}, 3, 5, 2, KEY_MASK, [bool_mask(2, 5)], False),
    ({}, 3, 5, 2, KEY_MASK, [float_mask(2, 5)], False),
    ({}, 3, 5, 2, ATTENTION_MASK, [bool_mask(3, 5)], False),
    ({}, 3, 5, 2, ATTENTION_MASK, [float_mask(3, 5)], False),
    ({}, 3, 5, 2, {**ATTENTION_MASK, **EACH}, [bool_mask(4, 3, 5)], False),
    ({}, 3, 5, 2, ATTENTION_MASK, [float_mask(4, 3, 5)], False),
    ({}, 3, 5, 2, BOTH, [bool_mask(3, 5), bool_mask(2, 5)], False),
    ({}, 3, 5, 2, BOTH, [float_mask(3, 5), float_mask(2, 5)], False),
    ({}, 3, 5, 2, BOTH, [float_mask(3, 5), bool_mask(2, 5)], False),
    ({"kdim": 3, "vdim": 5}, 3, 5, 2, {}, [], False),
    ({"kdim": 3, "bias": False, "batchFirst": True}, 3, 5, 2, {}, [], False),
    ({"addBiasKv": True}, 3, 5, 2, {}, [], False),
    ({"addZeroAttn": True}, 3, 5, 2, BOTH, [float_mask(3, 5), bool_mask(2, 5)], False),
    ({"addBiasKv": True, "addZeroAttn": True}, 3, 5, 2, {**BOTH, **EACH}, [bool_mask(4, 3, 5), bool_mask(2, 5)], False),
    ({"addBiasKv": True, "vdim": 3, "batchFirst": True}, 3, 5, 2, KEY_MASK, [bool_mask(2, 5)], False),
    ({}, 3, 5, None, {}, [], False),
    ({"batchFirst": True}, 3, 5, None, {**BOTH, **EACH}, [bool_mask(2, 3, 5), bool_mask(5)], False),
    ({}, 1, 1, 1, {}, [], False),
    ({}, 3, 5, 0, {}, [], False),
]


def batched(options, length, batch, features):
    if batch is None:
        return [length, features]
    return [batch, length, features] if options.get("batchFirst") else [length, batch, features]


def adding_masks(module, batch, heads):
    """The module, as PyTorch 2 has it where both masks are floats: they are added. PyTorch 1.13 misreads the second."""
    def forward(query, key, value, attn_mask=None, key_padding_mask=None, **options):
        both = [mask for mask in (attn_mask, key_padding_mask) if mask is not None and mask.is_floating_point()]
        if len(both) == 2:
            padding = key_padding_mask.repeat_interleave(heads, 0).unsqueeze(1)
            attn_mask, key_padding_mask = attn_mask.expand(batch * heads, -1, -1) + padding, None
        return module(query, key, value, attn_mask=attn_mask, key_padding_mask=key_padding_mask, **options)
    return forward


def heads_case(options, queries, keys, batch, call_options, masks, second):
    size = 4
    module = torch.nn.MultiheadAttention(size, 2, **{snake(k): v for k, v in options.items()})
    tensors = [normal(*batched(options, queries, batch, size)),
               normal(*batched(options, keys, batch, options.get("kdim", size))),
               normal(*batched(options, keys, batch, options.get("vdim", size))), *masks]
    call = [{"input": 0}, {"input": 1}, {"input": 2}] + ([call_options] if call_options else [])
    args = [size, 2] + ([options] if options else [])
    return call_case("MultiheadAttention", args, call, tensors, adding_masks(module, batch, 2), module, second)


def self_attention_case():
    module = torch.nn.MultiheadAttention(4, 2)
    return call_case("MultiheadAttention", [4, 2], [{"input": 0}] * 3, [normal(3, 2, 4)], module, module, True)


# Transformers: type, arguments, shapes of the inputs, masks, second derivatives, evaluation. ------------------------------

QUIET = {"dimFeedforward": 5, "dropout": 0}
PLAIN_MASKS = {"srcMask": {"input": 1}, "srcKeyPaddingMask": {"input": 2}}
STACK_MASKS = {"mask": {"input": 1}, "srcKeyPaddingMask": {"input": 2}}
DECODER_MASKS = {"tgtMask": {"input": 2}, "memoryMask": {"input": 3}, "tgtKeyPaddingMask": {"input": 4},
                 "memoryKeyPaddingMask": {"input": 5}}
SRC = [3, 2, 4]
TGT = [5, 2, 4]

TRANSFORMERS = [
    ("TransformerEncoderLayer", [4, 2, QUIET], [SRC], {}, [], True, False),
    ("TransformerEncoderLayer", [4, 2, {**QUIET, "activation": "gelu"}], [SRC], {}, [], False, False),
    ("TransformerEncoderLayer", [4, 2, {**QUIET, "normFirst": True, "layerNormEps": 0.01}], [SRC], {}, [], False, False),
    ("TransformerEncoderLayer", [4, 2, {**QUIET, "batchFirst": True}], [[2, 3, 4]], PLAIN_MASKS,
     [bool_mask(3, 3), bool_mask(2, 3)], False, False),
    ("TransformerEncoderLayer", [4, 2, QUIET], [SRC], {"srcMask": {"input": 1}}, [float_mask(3, 3)], False, False),
    ("TransformerEncoderLayer", [4, 2, QUIET], [[3, 4]], {}, [], False, False),
    ("TransformerEncoderLayer", [4, 2, {"dimFeedforward": 5}], [SRC], {}, [], False, True),
    ("TransformerEncoder", [4, 2, QUIET, 2, False], [SRC], {}, [], False, False),
    ("TransformerEncoder", [4, 2, {**QUIET, "normFirst": True}, 2, True], [SRC], STACK_MASKS,
     [bool_mask(3, 3), bool_mask(2, 3)], False, False),
    ("TransformerEncoder", [4, 1, {"dimFeedforward": 5, "batchFirst": True}, 3, True], [[2, 3, 4]], {}, [], False, True),
    ("TransformerDecoderLayer", [4, 2, QUIET], [TGT, SRC], {}, [], False, False),
    ("TransformerDecoderLayer", [4, 2, {**QUIET, "normFirst": True, "activation": "gelu"}], [TGT, SRC], DECODER_MASKS,
     [float_mask(5, 5), float_mask(5, 3), bool_mask(2, 5), bool_mask(2, 3)], False, False),
    ("TransformerDecoderLayer", [4, 2, {"dimFeedforward": 5, "batchFirst": True}], [[2, 5, 4], [2, 3, 4]], DECODER_MASKS,
     [~causal(5, 5), bool_mask(4, 5, 3), bool_mask(2, 5), bool_mask(2, 3)], False, True),
    ("TransformerDecoder", [4, 2, QUIET, 2, True], [TGT, SRC], {"tgtMask": {"input": 2}}, [~causal(5, 5)], False, False),
    ("Transformer", [4, 2, {**QUIET, "numEncoderLayers": 1, "numDecoderLayers": 2}], [SRC, TGT],
     {"tgtMask": {"input": 2}, "srcMask": {"input": 3}, "srcKeyPaddingMask": {"input": 4}},
     [~causal(5, 5), bool_mask(3, 3), bool_mask(2, 3)], False, False),
]


def transformer(kind, args):
    """A stack's arguments are those of its layer, the number of layers, and whether it ends in a normalization."""
    size, heads, options, *rest = args
    make = getattr(torch.nn, kind + ("Layer" if rest else ""))
    made = make(size, heads, **{snake(k): v for k, v in options.items()})
    if not rest:
        return made
    number, with_norm = rest
    return getattr(torch.nn, kind)(made, number, torch.nn.LayerNorm(size) if with_norm else None)


def transformer_case(kind, args, shapes, options, masks, second, eval):
    module = transformer(kind, args)
    tensors = [normal(*shape) for shape in shapes] + list(masks)
    call = [{"input": i} for i in range(len(shapes))] + ([options] if options else [])
    return call_case(kind, args, call, tensors, module, module, second, eval)


write("attention", {
    "products": [product_case(*row) for row in PRODUCTS],
    "heads": [heads_case(*row) for row in HEADS] + [self_attention_case()],
    "transformers": [transformer_case(*row) for row in TRANSFORMERS],
    "squareMask": [[0 if seen else "-inf" for seen in row] for row in causal(4, 4).tolist()],
})
