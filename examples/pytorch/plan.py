"""Importance and latency in, a plan out: halp's solver for whoever scores and measures in Python.

    python3 plan.py [path of the halp command]

Scores come from wherever you have them (here: made up, where gradients times weights would stand), latencies from your own
table. Option k of a group keeps its k best channels, so its value is the sum of the k best scores. No package is needed.
"""
import json
import subprocess
import sys

halp = sys.argv[1:] or ["npx", "halp"]

# Per group: a score for each channel. In PyTorch: (weight.grad * weight).sum((1, 2, 3)).abs().tolist()
scores = {"conv1": [0.9, 0.1, 0.5, 0.4], "conv2": [0.2, 0.8, 0.3]}
# Nanoseconds of each layer by the channels that it keeps: of a layer between two groups, a row for each number of inputs.
# A real table is measured, with torch.utils.benchmark for example; steps of two stand for the staircase of a device.
step = lambda channels: 2 * ((channels + 1) // 2)
measured = {
    ("conv1",): [60 * step(a) for a in range(5)],
    ("conv1", "conv2"): [[40 * step(a) * step(b) for b in range(4)] for a in range(5)],
}


def values(channels):
    best, total = sorted(channels, reverse=True), [0.0]
    for score in best:
        total.append(total[-1] + score)
    return total


problem = {
    "format": "halp.problem/1",
    "unit": "ns",
    "budget": 600,
    "variables": [{"name": name, "values": values(channels)} for name, channels in scores.items()],
    "factors": [{"variables": list(groups), "latency": latency} for groups, latency in measured.items()],
}
ran = subprocess.run([*halp, "solve", "-", "--json", "--verify"], input=json.dumps(problem), capture_output=True, text=True)
if ran.returncode != 0:
    sys.exit(ran.stderr)
solution = json.loads(ran.stdout)
plan = {}
for name, kept in solution["choice"].items():
    order = sorted(range(len(scores[name])), key=lambda c: -scores[name][c])
    plan[name] = sorted(order[:kept])
print(json.dumps({"status": solution["status"], "latency": solution["latency"], "plan": plan}))
