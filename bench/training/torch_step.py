"""The same networks in PyTorch: answers each line of stdin (forward, trainingForward, step) with the seconds it took, and peak memory in bytes.

    torch_step.py NETWORK BATCH THREADS
"""
import resource
import sys
import time

import torch
from torch import nn


def conv(i, o, k, stride=1):
    return nn.Conv2d(i, o, k, stride, k // 2, bias=False)


class Block(nn.Module):
    def __init__(self, i, inner, o, stride, bottleneck):
        super().__init__()
        shape = [(i, inner, 1, 1), (inner, inner, 3, stride), (inner, o, 1, 1)] if bottleneck else [(i, inner, 3, stride), (inner, o, 3, 1)]
        layers = []
        for n, (a, b, k, s) in enumerate(shape):
            layers += [conv(a, b, k, s), nn.BatchNorm2d(b)] + ([nn.ReLU()] if n + 1 < len(shape) else [])
        self.branch = nn.Sequential(*layers)
        self.shortcut = nn.Identity() if i == o and stride == 1 else nn.Sequential(conv(i, o, 1, stride), nn.BatchNorm2d(o))

    def forward(self, x):
        return torch.relu(self.branch(x) + self.shortcut(x))


def resnet(blocks, width, bottleneck, classes, large):
    stem = [nn.Conv2d(3, width, 7 if large else 3, 2 if large else 1, 3 if large else 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    if large:
        stem.append(nn.MaxPool2d(3, 2, 1))
    layers, i = stem, width
    for stage, count in enumerate(blocks):
        inner = width << stage
        o = 4 * inner if bottleneck else inner
        for n in range(count):
            layers.append(Block(i, inner, o, 2 if n == 0 and stage > 0 else 1, bottleneck))
            i = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(i, classes))


name, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
torch.manual_seed(0)
large = name == "resnet50"
net = resnet([3, 4, 6, 3], 64, True, 1000, True) if large else resnet([3, 3, 3], 16, False, 10, False)
size = 224 if large else 32
x = torch.randn(batch, 3, size, size)
y = torch.arange(batch) % 10
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
loss = nn.CrossEntropyLoss()


def forward():
    net.eval()
    with torch.no_grad():
        net(x)


def training_forward():
    net.train()
    loss(net(x), y)


def step():
    net.train()
    optimizer.zero_grad()
    loss(net(x), y).backward()
    optimizer.step()


print(torch.__version__, sum(p.numel() for p in net.parameters()), flush=True)
for line in sys.stdin:
    work = {"forward": forward, "trainingForward": training_forward, "step": step}[line.strip()]
    start = time.perf_counter()
    work()
    print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, flush=True)
