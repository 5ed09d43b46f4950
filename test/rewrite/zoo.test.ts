import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { dataTypeCode } from "../../src/graph/tensors.js";
import { encodeModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { difference } from "../../src/rewrite/compare.js";
import { applyPlan, groupsThatMayVanish, vanishing, verifyRewrite } from "../../src/rewrite/index.js";
import { createSession, zeroTensor } from "../../src/runtime/index.js";
import { randomPlan, seeded } from "./random-plan.js";
import { zoo } from "./zoo.js";

const rounds = 20;

const weightsOf = (model: Model) =>
  model.graph.initializers.reduce((n, w) => n + (w.dtype === "float32" ? w.bytes.length / 4 : 0), 0);

for (const network of zoo)
  t.test(`masked equals removed: ${network.name}`, async (t) => {
    const inputDims = new Map(Object.entries(network.inputs));
    const analyzed = analyzeGraph(network.model, findOperator, { inputDims });
    const coupling = analyzeCoupling(analyzed, findOperator);
    t.ok(
      coupling.groups.some((g) => g.frozen === undefined),
      "some group may be pruned",
    );
    let smaller = 0;
    let worst = 0;
    for (let seed = 0; seed < rounds; seed++) {
      const plan = randomPlan(analyzed, coupling, seeded(seed), seed % 2 === 0 ? 0 : 0.4);
      const rewritten = applyPlan(analyzed, coupling, plan, findOperator);
      worst = Math.max(worst, verifyRewrite(analyzed, coupling, plan, rewritten, { seed }).maxError);
      if (weightsOf(rewritten.model) < weightsOf(network.model)) smaller++;
      t.same(rewritten.model.opsets, network.model.opsets);
      t.same(rewritten.model.graph.outputs, network.model.graph.outputs, "outputs stay what they were");
    }
    t.ok(smaller > rounds / 2, `weights are gone (${smaller} of ${rounds} plans)`);
    t.ok(worst < 1e-4, `worst difference ${worst.toExponential(1)}`);
  });

t.test("dynamic dimensions stay dynamic", async (t) => {
  for (const network of zoo.filter((n) => n.model.graph.inputs[0]?.dims?.[0] === "batch")) {
    const analyzed = analyzeGraph(network.model, findOperator, { inputDims: new Map(Object.entries(network.inputs)) });
    const coupling = analyzeCoupling(analyzed, findOperator);
    const { model } = applyPlan(analyzed, coupling, randomPlan(analyzed, coupling, seeded(3), 0.3), findOperator);
    const [x] = model.graph.inputs;
    t.same(x?.dims, network.model.graph.inputs[0]?.dims);
    using session = createSession(model);
    const out = session.run({ x: zeroTensor("float32", [5, ...(network.inputs.x ?? []).slice(1)]) });
    t.ok(
      Object.values(out).every((o) => o.dims[0] === 5),
      `${network.name} takes another batch`,
    );
  }
});

t.test("nothing to remove changes nothing but dead parts", async (t) => {
  for (const network of zoo) {
    const analyzed = analyzeGraph(network.model, findOperator, { inputDims: new Map(Object.entries(network.inputs)) });
    const coupling = analyzeCoupling(analyzed, findOperator);
    const kept = coupling.groups.map((g) => Int32Array.from({ length: g.size }, (_, i) => i));
    const { model, removedNodes } = applyPlan(analyzed, coupling, { kept }, findOperator);
    t.same(removedNodes, [], network.name);
    t.same(model.graph.nodes, network.model.graph.nodes);
    t.equal(model.metadata, network.model.metadata);
  }
});

t.test("value infos and inputs with defaults say what the values are", async (t) => {
  for (const network of zoo) {
    const inputDims = new Map(Object.entries(network.inputs));
    const first = analyzeGraph(network.model, findOperator, { inputDims });
    const made = network.model.graph.nodes.flatMap((n) => n.outputs);
    const valueInfos = made.flatMap((name) => {
      const type = first.types.get(name);
      return type
        ? [{ name, dtype: type.dtype, dtypeCode: dataTypeCode[type.dtype as "float32"], dims: type.dims }]
        : [];
    });
    const model = { ...network.model, graph: { ...network.model.graph, valueInfos } };
    const analyzed = analyzeGraph(model, findOperator, { inputDims });
    const coupling = analyzeCoupling(analyzed, findOperator);
    const pruned = applyPlan(analyzed, coupling, randomPlan(analyzed, coupling, seeded(5), 0.3), findOperator);
    const wrong = [...pruned.model.graph.valueInfos, ...pruned.model.graph.inputs]
      .filter(
        (v) =>
          pruned.analyzed.types.get(v.name)?.dims.some((d, i) => typeof v.dims?.[i] === "number" && v.dims[i] !== d) ??
          true,
      )
      .map((v) => v.name);
    t.same(wrong, [], network.name);
    t.ok(pruned.model.graph.valueInfos.length > 0);
  }
});

t.test("a pruned network can be pruned again, and the record keeps the first counts", async (t) => {
  for (const network of zoo) {
    const inputDims = new Map(Object.entries(network.inputs));
    let model = network.model;
    for (let step = 0; step < 3; step++) {
      const analyzed = analyzeGraph(model, findOperator, { inputDims });
      const coupling = analyzeCoupling(analyzed, findOperator);
      const plan = randomPlan(analyzed, coupling, seeded(40 + step), 0.2);
      const rewritten = applyPlan(analyzed, coupling, plan, findOperator);
      verifyRewrite(analyzed, coupling, plan, rewritten, { seed: step });
      model = rewritten.model;
    }
    t.ok(model.metadata.filter((e) => e.key === "halp.groups").length <= 1, network.name);
  }
});

t.test("the runtime takes what was written, with all of its own rewriting", async (t) => {
  for (const network of zoo) {
    const analyzed = analyzeGraph(network.model, findOperator, { inputDims: new Map(Object.entries(network.inputs)) });
    const coupling = analyzeCoupling(analyzed, findOperator);
    const { model } = applyPlan(analyzed, coupling, randomPlan(analyzed, coupling, seeded(8), 0.3), findOperator);
    const feeds = { x: zeroTensor("float32", network.inputs.x ?? []) };
    const [plain, optimized] = (["disabled", "all"] as const).map((optimization) => {
      using session = createSession(encodeModel(model), { optimization });
      return session.run(feeds);
    });
    const apart = Object.entries(plain ?? {}).some(([name, tensor]) => {
      const other = optimized?.[name];
      return !other || difference(tensor, other, () => undefined).max > 1e-4;
    });
    t.notOk(apart, network.name);
  }
});

t.test("of the groups that may vanish together, any may", async (t) => {
  for (const network of zoo) {
    const analyzed = analyzeGraph(network.model, findOperator, { inputDims: new Map(Object.entries(network.inputs)) });
    const coupling = analyzeCoupling(analyzed, findOperator);
    const all = [...groupsThatMayVanish(analyzed, coupling)];
    const random = seeded(17);
    for (let round = 0; round < 20; round++) {
      const some = all.filter(() => random() < 0.5);
      const { ok, reason } = vanishing(analyzed, coupling, some);
      t.ok(ok, `${network.name}: ${some} ${reason ?? ""}`);
    }
  }
});

t.test("an operator that is not sliced as it should be is named", async (t) => {
  for (const [name, opType, code = "HALP_REWRITE_SHAPE"] of [
    ["Flatten of HxWxC", "Reshape"],
    ["Split, Slice and Gather of channels", "Split"],
    ["Split, Slice and Gather of channels", "Gather", "HALP_MASKED_MISMATCH"],
    ["shortcut by Slice and Pad", "Pad"],
    ["depthwise separable", "Conv"],
    ["pyramid", "Resize"],
  ] as const) {
    const network = zoo.find((n) => n.name === name);
    if (!network) throw new Error(name);
    const analyzed = analyzeGraph(network.model, findOperator, { inputDims: new Map(Object.entries(network.inputs)) });
    const coupling = analyzeCoupling(analyzed, findOperator);
    const careless = (type: string, domain: string) => {
      const spec = findOperator(type, domain);
      if (type !== opType || !spec) return spec;
      const { slice: _, ...rest } = spec;
      return rest;
    };
    const kept = coupling.groups.map((g) =>
      Int32Array.from({ length: g.frozen === undefined ? Math.ceil(g.size / 2) : g.size }, (_, i) => i),
    );
    t.throws(
      () => {
        const rewritten = applyPlan(analyzed, coupling, { kept }, careless);
        verifyRewrite(analyzed, coupling, { kept }, rewritten);
      },
      { code },
      `${opType} in ${name}`,
    );
  }
});
