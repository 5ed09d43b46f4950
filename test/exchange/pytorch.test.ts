/** The lines of docs/pytorch.md, in PyTorch: Debian's package python3-torch, where it is installed. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { readModel } from "../../src/onnx/index.js";
import { createSession, floatsOf } from "../../src/runtime/index.js";
import { writeEvenTableOf } from "../cli/even-table.js";
import { latencyCache, runHalp } from "../cli/run-halp.js";

const python = ["/usr/bin/python3", "python3"].find(
  (path) => spawnSync(path, ["-c", "import torch, numpy"], { stdio: "ignore" }).status === 0,
);
const documented = [...readFileSync("docs/pytorch.md", "utf8").matchAll(/^```python\n([\s\S]*?)^```/gm)]
  .map((m) => m[1])
  .join("\n");

const network = `
import sys


class Block(nn.Module):
    def __init__(self, width, mid, groups=1):
        super().__init__()
        self.conv1 = nn.Conv2d(width, mid, 1 if groups > 1 else 3, padding=0 if groups > 1 else 1, bias=False)
        self.bn1 = nn.BatchNorm2d(mid)
        self.depth = nn.Conv2d(mid, mid, 3, padding=1, groups=groups, bias=False) if groups > 1 else nn.Identity()
        self.conv2 = nn.Conv2d(mid, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(self.depth(y))) + x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1)
        self.blocks = nn.Sequential(Block(32, 64), Block(32, 96, groups=96), Block(32, 64))
        self.head = nn.Linear(32, 5)

    def forward(self, x):
        return self.head(self.blocks(torch.relu(self.stem(x))).mean((2, 3)))


torch.manual_seed(1)
model = Net()
for module in model.modules():
    if isinstance(module, nn.BatchNorm2d):
        module.running_mean.normal_(0, 0.1)
        module.running_var.uniform_(0.5, 1.5)
        nn.init.uniform_(module.weight, 0.5, 1.5)
        nn.init.normal_(module.bias, 0, 0.1)
model.eval()
x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
step, folder = sys.argv[1:]


def show(model):
    with torch.no_grad():
        print(json.dumps(model.eval()(x).flatten().tolist()))


if step == "export":
    torch.onnx.export(model, x, f"{folder}/model.onnx", input_names=["x"], output_names=["y"], opset_version=13,
                      training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
    print(json.dumps(x.flatten().tolist()))
else:
    apply_plan(model, json.load(open(f"{folder}/plan.json")))
    show(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model.train()
    for _ in range(3):
        loss = nn.functional.cross_entropy(model(x), torch.tensor([0, 3]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    show(model)
    save_weights(model, f"{folder}/trained.npz")
`;

const skip = python === undefined ? "python3-torch is not installed" : false;

for (const [what, limits] of [
  ["every branch kept", ["--min-channels", "1"]],
  ["branches may go", ["--budget", "16%"]],
] as const)
  t.test(`out to PyTorch, trained there, and back: ${what}`, { skip }, async (t) => {
    const folder = t.testdir();
    const file = (name: string) => join(folder, name);
    writeFileSync(file("net.py"), documented + network);
    const inPython = (step: string): number[][] => {
      const { status, stdout, stderr } = spawnSync(python as string, [file("net.py"), step, folder], {
        encoding: "utf8",
      });
      if (status !== 0) throw new Error(stderr);
      return stdout
        .split("\n")
        .filter((line) => line.startsWith("["))
        .map((line) => JSON.parse(line) as number[]);
    };
    const [x = []] = inPython("export");
    const halp = async (...args: readonly string[]) => {
      const ran = await runHalp(args);
      if (ran.status !== 0) throw new Error(ran.stderr);
      return ran.stdout;
    };
    // Of no machine: what goes must not depend on what is measured.
    await writeEvenTableOf(file("model.onnx"), file("table.json"), 2);
    const run = ["--table", file("table.json"), "--patience", "0", "--criterion", "l1", "--cache", latencyCache];
    const to = ["--run", file("run"), "-o", file("small.onnx")];
    await halp("prune", file("model.onnx"), "--budget", "50%", ...run, ...to, ...limits, "--quiet");
    t.match(await halp("export", file("run"), "-o", file("plan.json")), /conv1\.weight/);
    const plan = JSON.parse(readFileSync(file("plan.json"), "utf8"));
    t.ok(Object.values(plan.tensors as object).some((x) => x.kept?.some((k: unknown) => k !== null)));
    if (limits[0] === "--budget")
      t.ok(
        plan.layers.some((l: { removed: boolean }) => l.removed),
        "a branch went",
      );
    const [cut = [], trained = []] = inPython("train");

    const onnx = async (name: string) => {
      using session = createSession(await readModel(file(name)));
      const { y } = session.run({ x: { dtype: "float32", dims: [2, 3, 16, 16], data: Float32Array.from(x) } });
      return [...floatsOf(y!)];
    };
    const close = (a: readonly number[], b: readonly number[]) =>
      a.length === b.length && a.length > 0 && a.every((v, i) => Math.abs(v - (b[i] as number)) < 1e-4);
    t.ok(close(await onnx("small.onnx"), cut), "cut in PyTorch, it gives what halp's pruned network gives");
    await halp("import", file("small.onnx"), file("trained.npz"), "-o", file("trained.onnx"));
    t.ok(close(await onnx("trained.onnx"), trained), "trained in PyTorch, it gives the same in ONNX");
    t.notOk(close(cut, trained), "and something was learnt");
  });
