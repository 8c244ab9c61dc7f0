"""PyTorch's side of the bench: the line protocol of bench/src/protocol.ts over stdin and stdout.

Reads the job (JSON) from its first argument. Starts from the same numbers as every other contestant: `uniform` and
`RECIPES` are the twins of bench/src/recipes.ts.
"""

import json
import sys
import time

import numpy
import torch
from torch import nn


def unit_interval(seed, count):
    index = numpy.arange(count, dtype=numpy.uint64)
    mask = numpy.uint64(0xFFFFFFFF)
    value = (index * numpy.uint64(0x9E3779B1) + numpy.uint64(seed) * numpy.uint64(0x85EBCA77)) & mask
    value = ((value ^ (value >> numpy.uint64(16))) * numpy.uint64(0x85EBCA6B)) & mask
    value = ((value ^ (value >> numpy.uint64(13))) * numpy.uint64(0xC2B2AE35)) & mask
    return (value ^ (value >> numpy.uint64(16))).astype(numpy.float64) / 2**32


def uniform(seed, shape, low=-1.0, high=1.0):
    count = int(numpy.prod(shape))
    values = low + (high - low) * unit_interval(seed, count)
    return torch.from_numpy(values.astype(numpy.float32)).reshape(shape)


def labels(count):
    return torch.from_numpy(numpy.floor(10 * unit_interval(2, count)).astype(numpy.int64))


def load_recipe(model):
    """Gives each parameter the numbers that all contestants start from: seed 10 + i, within 1 / sqrt(fan-in)."""
    fan_in = 1
    for position, parameter in enumerate(model.parameters()):
        if parameter.dim() > 1:  # a bias shares the fan-in of the weight before it
            fan_in = parameter[0].numel()
        bound = fan_in**-0.5
        with torch.no_grad():
            parameter.copy_(uniform(10 + position, tuple(parameter.shape), -bound, bound))
    return model


class Matmul:
    def __init__(self, job):
        size = job["size"]
        self.a = uniform(1, (size, size))
        self.b = uniform(2, (size, size))

    def step(self):
        self.c = self.a @ self.b

    def check(self):
        return self.c.double().abs().mean().item()


class Training:
    """Forward, backward, update, and the loss read, as in any PyTorch loop."""

    def __init__(self, model, optimizer, inputs, targets):
        self.model, self.optimizer, self.inputs, self.targets = model, optimizer, inputs, targets
        self.criterion = nn.CrossEntropyLoss()

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.criterion(self.model(self.inputs), self.targets)
        loss.backward()
        self.optimizer.step()
        self.loss = loss.item()

    def check(self):
        return self.loss


def mlp(job):
    model = load_recipe(
        nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    )
    batch = job["batchSize"]
    return Training(model, torch.optim.Adam(model.parameters(), lr=1e-3), uniform(1, (batch, 784)), labels(batch))


def lenet(job):
    model = load_recipe(
        nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
        )
    )  # fmt: skip
    batch = job["batchSize"]
    return Training(model, torch.optim.SGD(model.parameters(), lr=0.1), uniform(1, (batch, 1, 28, 28)), labels(batch))


WORKLOADS = {"matmul": Matmul, "mlp": mlp, "lenet": lenet}


def send(message):
    print(json.dumps(message), flush=True)


def time_steps(runner, steps):
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        runner.step()
        times.append((time.perf_counter() - start) * 1000)
    return times


def main():
    job = json.loads(sys.argv[1])
    if job["workload"] not in WORKLOADS:
        raise ValueError(f'PyTorch has no workload "{job["workload"]}" here')
    torch.set_num_threads(job["threads"])
    runner = WORKLOADS[job["workload"]](job)
    first = time_steps(runner, 1)[0]
    check = [runner.check()]
    runner.step()
    check.append(runner.check())
    send({"ready": True, "version": torch.__version__, "threads": torch.get_num_threads(), "first_ms": first,
          "check": check})  # fmt: skip
    for line in iter(sys.stdin.readline, ""):
        words = line.split()
        if len(words) == 2 and words[0] == "run":
            send({"times": time_steps(runner, int(words[1]))})


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # the parent tells the user why this contestant is absent
        send({"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)
