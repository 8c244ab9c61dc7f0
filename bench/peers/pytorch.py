"""PyTorch's side of the bench: the line protocol of bench/src/protocol.ts over stdin and stdout.

Reads the job (JSON) from its first argument. Starts from the same numbers as every other contestant: `uniform` and
`RECIPES` are the twins of bench/src/recipes.ts.
"""

import json
import math
import resource
import sys
import time

import numpy
import torch
from torch import nn


def unit_interval(seed, start, stop):
    index = numpy.arange(start, stop, dtype=numpy.uint64)
    mask = numpy.uint64(0xFFFFFFFF)
    value = (index * numpy.uint64(0x9E3779B1) + numpy.uint64(seed) * numpy.uint64(0x85EBCA77)) & mask
    value = ((value ^ (value >> numpy.uint64(16))) * numpy.uint64(0x85EBCA6B)) & mask
    value = ((value ^ (value >> numpy.uint64(13))) * numpy.uint64(0xC2B2AE35)) & mask
    return (value ^ (value >> numpy.uint64(16))).astype(numpy.float64) / 2**32


def blocks(count, size=2**18):
    """Ranges that cover `count` numbers: integers of 64 bits for all of them at once would be most of the memory used."""
    return ((start, min(start + size, count)) for start in range(0, count, size))


def uniform(seed, shape, low=-1.0, high=1.0):
    values = numpy.empty(int(numpy.prod(shape)), dtype=numpy.float32)
    for start, stop in blocks(values.size):
        values[start:stop] = low + (high - low) * unit_interval(seed, start, stop)
    return torch.from_numpy(values).reshape(shape)


def labels(count):
    return torch.from_numpy(numpy.floor(10 * unit_interval(2, 0, count)).astype(numpy.int64))


def projection(tensor):
    """The twin of `projection` in recipes.ts."""
    values = tensor.reshape(-1).numpy()
    return sum(float(values[start:stop] @ (2 * unit_interval(3, start, stop) - 1)) for start, stop in blocks(values.size))


def load_recipe(model):
    """
    Gives each parameter the numbers that all contestants start from: seed 10 + i, within 1 / sqrt(fan-in). Those of batch
    normalizations are left at 1 and 0.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    plain = {id(parameter) for norm in norms for parameter in norm.parameters()}
    fan_in = 1
    for position, parameter in enumerate(model.parameters()):
        if id(parameter) in plain:
            continue
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


class RowWise:
    """A function of one square matrix."""

    def __init__(self, job, function):
        self.x, self.function = uniform(1, (job["size"], job["size"])), function

    def step(self):
        self.y = self.function(self.x)

    def check(self):
        return projection(self.y)


def softmax(job):
    return RowWise(job, lambda x: x.softmax(-1))


def layernorm(job):
    size = job["size"]
    weight, bias = uniform(10, (size,)), uniform(11, (size,))
    return RowWise(job, lambda x: nn.functional.layer_norm(x, (size,), weight, bias))


def elementwise(job):
    return RowWise(job, lambda x: ((x * 1.5 + 0.25).relu() - 0.5).abs() * x)


class Training:
    """Forward, backward, update, and the loss read, as in any PyTorch loop."""

    def __init__(self, optimizer, compute_loss):
        self.optimizer, self.compute_loss = optimizer, compute_loss

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.compute_loss()
        loss.backward()
        self.optimizer.step()
        self.loss = loss.item()

    def check(self):
        return self.loss


def classifying(model, optimizer, inputs):
    targets, criterion = labels(len(inputs)), nn.CrossEntropyLoss()
    return Training(optimizer, lambda: criterion(model(inputs), targets))


def mlp(job):
    model = load_recipe(
        nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    )
    batch = job["batchSize"]
    return classifying(model, torch.optim.Adam(model.parameters(), lr=1e-3), uniform(1, (batch, 784)))


def lenet(job):
    model = load_recipe(
        nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
        )
    )  # fmt: skip
    batch = job["batchSize"]
    return classifying(model, torch.optim.SGD(model.parameters(), lr=0.1), uniform(1, (batch, 1, 28, 28)))


class BasicBlock(nn.Module):
    """As torchvision has it."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        hidden = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(hidden)) + identity)


def resnet18(job):
    stages = [
        nn.Sequential(BasicBlock(inputs, outputs, outputs // inputs), BasicBlock(outputs, outputs, 1))
        for inputs, outputs in [(64, 64), (64, 128), (128, 256), (256, 512)]
    ]
    stem = [nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    model = load_recipe(nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return classifying(model, optimizer, uniform(1, (job["batchSize"], 3, 32, 32)))


class Dcgan:
    """The models and the training step of PyTorch's DCGAN tutorial, with logits for its sigmoid and BCELoss."""

    def __init__(self, job):
        batch = job["batchSize"]
        layers, inputs = [], 100
        for i, outputs in enumerate([512, 256, 128, 64]):
            stride, padding = (1, 0) if i == 0 else (2, 1)
            layers += [nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False), nn.BatchNorm2d(outputs)]
            layers += [nn.ReLU(inplace=True)]
            inputs = outputs
        self.generator = load_recipe(
            nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh())
        )
        layers, inputs = [], 3
        for i, outputs in enumerate([64, 128, 256, 512]):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(outputs)] if i > 0 else []
            layers += [nn.LeakyReLU(0.2, inplace=True)]
            inputs = outputs
        self.discriminator = load_recipe(nn.Sequential(*layers, nn.Conv2d(512, 1, 4, bias=False), nn.Flatten(0)))
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.criterion = nn.BCEWithLogitsLoss()
        self.images, self.latent = uniform(1, (batch, 3, 64, 64)), uniform(2, (batch, 100, 1, 1))
        self.real, self.made = torch.ones(batch), torch.zeros(batch)

    def step(self):
        fakes = self.generator(self.latent)
        self.optimizer_d.zero_grad(set_to_none=True)
        loss_d = self.criterion(self.discriminator(self.images), self.real)
        loss_d = loss_d + self.criterion(self.discriminator(fakes.detach()), self.made)
        loss_d.backward()
        self.optimizer_d.step()
        self.optimizer_g.zero_grad(set_to_none=True)
        loss_g = self.criterion(self.discriminator(fakes), self.real)
        # Spares PyTorch the gradients of the discriminator, which nobody wants; the tutorial lets it compute them.
        loss_g.backward(inputs=list(self.generator.parameters()))
        self.optimizer_g.step()
        self.loss = loss_d.item() + loss_g.item()

    def check(self):
        return self.loss


class ResidualBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(64, 64, 9, padding=4)
        self.conv2 = nn.Conv1d(64, 64, 9, padding=4)

    def forward(self, x):
        return torch.relu(x + self.conv2(torch.relu(self.conv1(x))))


def conv1d(job):
    model = load_recipe(nn.Sequential(ResidualBlock(), ResidualBlock()))
    inputs = uniform(1, (job["batchSize"], 64, 16384))
    return Training(torch.optim.SGD(model.parameters(), lr=0.01), lambda: model(inputs).square().mean())


WORKLOADS = {
    "matmul": Matmul, "mlp": mlp, "lenet": lenet, "resnet18": resnet18, "dcgan": Dcgan, "conv1d": conv1d,
    "softmax": softmax, "layernorm": layernorm, "elementwise": elementwise,
}  # fmt: skip


def send(message):
    print(json.dumps(message), flush=True)


def time_steps(runner, steps):
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        runner.step()
        times.append((time.perf_counter() - start) * 1000)
    return times


def peak_megabytes():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


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
    check = [value if math.isfinite(value) else None for value in check]
    send({"ready": True, "version": torch.__version__, "threads": torch.get_num_threads(), "first_ms": first,
          "check": check})  # fmt: skip
    for line in iter(sys.stdin.readline, ""):
        words = line.split()
        if len(words) == 2 and words[0] == "run":
            send({"times": time_steps(runner, int(words[1]))})
        elif words == ["memory"]:
            send({"peak_mb": peak_megabytes()})


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # the parent tells the user why this contestant is absent
        send({"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)
