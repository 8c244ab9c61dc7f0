"""Golden cases of modules and functions with several inputs and outputs: a call is described as data, and repeated in a test.

In the arguments of a call `{"input": i}` stands for an input tensor, wherever it stands. Names are Gradus's, in camelCase.
"""

import torch

from golden import normal, snake, stored


def given(value, inputs):
    """An argument with the inputs put in. Lists of inputs become tuples, as PyTorch wants its states."""
    if isinstance(value, list):
        return tuple(given(entry, inputs) for entry in value)
    if isinstance(value, dict):
        return inputs[value["input"]] if "input" in value else {snake(k): given(v, inputs) for k, v in value.items()}
    return value


def tensors_of(result):
    if result is None:
        return []
    if torch.is_tensor(result):
        return [result]
    return [tensor for part in result for tensor in tensors_of(part)]


def call_case(kind, args, call, inputs, function, module=None, second=False, eval=False):
    """
    Outputs of one call and the gradients of sum(seed * output), over all outputs, for float inputs and parameters.
    `second`: also those of sum(secondSeed * gradient of input 0). A last argument that is a dict are options.
    """
    if module is not None:
        module.load_state_dict({name: normal(*tensor.shape, scale=0.7) for name, tensor in module.state_dict().items()})
        module.train(not eval)
    inputs = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    positional = [given(value, inputs) for value in call]
    options = positional.pop() if positional and isinstance(positional[-1], dict) else {}
    outputs = tensors_of(function(*positional, **options))
    seeds = [normal(*y.shape) for y in outputs]
    wanted = [x for x in inputs if x.requires_grad]
    parameters = {} if module is None else dict(module.named_parameters())
    total = sum((y * seed).sum() for y, seed in zip(outputs, seeds))
    # What an output does not depend on has no gradient; it is stored as zeros.
    zero_if_none = lambda gradient, x: torch.zeros_like(x) if gradient is None else gradient
    leaves = wanted + list(parameters.values())
    found = torch.autograd.grad(total, leaves, create_graph=second, allow_unused=True)
    gradients = [zero_if_none(g, x) for g, x in zip(found, leaves)]
    case = {
        "type": kind, "args": args, "call": call, "eval": eval,
        "state": {} if module is None else {name: stored(t) for name, t in module.state_dict().items()},
        "inputs": [stored(x) for x in inputs], "seeds": [stored(seed) for seed in seeds],
        "outputs": [stored(y) for y in outputs],
        "inputGradients": [stored(g) for g in gradients[:len(wanted)]],
        "gradients": {name: stored(g) for name, g in zip(parameters, gradients[len(wanted):])},
    }
    if second:
        seed = normal(*wanted[0].shape)
        penalty = (gradients[0] * seed).sum()
        found = torch.autograd.grad(penalty, leaves, allow_unused=True)
        values = [stored(zero_if_none(g, x)) for g, x in zip(found, leaves)]
        case["secondSeed"] = stored(seed)
        case["second"] = {"inputs": values[:len(wanted)], "gradients": dict(zip(parameters, values[len(wanted):]))}
    return case
