/** Forms that go wrong where channels are followed as if they were one block. */
import fc from "fast-check";
import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { attr } from "../../src/graph/attributes.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { findOperator } from "../../src/operators/index.js";
import { applyPlan, verifyRewrite } from "../../src/rewrite/index.js";
import { randomPlan, seeded } from "../rewrite/random-plan.js";
import { Layers } from "./layers.js";

interface Special {
  readonly build: (n: Layers) => void;
  readonly free: readonly string[];
  readonly frozen?: readonly string[];
  /** Default 9, 13, 18. */
  readonly opsets?: readonly number[];
}

const specials: Readonly<Record<string, Special>> = {
  "Concat of a tensor with itself": {
    build(n) {
      const a = n.cbr("a", n.image(8), 3, 6);
      n.classify(n.cbr("b", n.concat([a, a]), 12, 5), 5);
    },
    free: ["a:6", "b:5"],
  },
  "a convolution of one channel that is not depthwise": {
    build(n) {
      const one = n.cbr("one", n.cbr("a", n.image(8, 1), 1, 6), 6, 1);
      n.classify(n.cbr("b", one, 1, 5), 5);
    },
    free: ["a:6", "one:1", "b:5"],
  },
  "a value used twice, by one node and by several": {
    build(n) {
      const a = n.cbr("a", n.image(8), 3, 6);
      const square = n.mul(a, a);
      n.classify(n.add(n.cbr("b", square, 6, 5), n.cbr("c", a, 6, 5)), 5);
    },
    free: ["a:6", "b:5"],
  },
  "a residual between different strides": {
    build(n) {
      const a = n.cbr("a", n.image(8), 3, 6);
      const b = n.convBn("b", a, 6, 6, { stride: 2 });
      n.classify(n.cbr("c", n.relu(n.add(b, n.maxPool(a))), 6, 5), 5);
    },
    free: ["a:6", "c:5"],
  },
  "Gemm after Flatten of CxHxW": {
    build(n) {
      const flat = n.op("Flatten", [n.cbr("a", n.image(4), 3, 6)]);
      n.b.output(n.linear("fc2", n.relu(n.linear("fc1", flat, 96, 7)), 7, 3));
    },
    free: ["a:6", "fc1:7"],
    frozen: ["fc2:3"],
  },
  "Gemm after Flatten of HxWxC": {
    build(n) {
      const last = n.transpose(n.cbr("a", n.image(4), 3, 6), [0, 2, 3, 1]);
      const flat = n.op("Flatten", [last]);
      n.b.output(n.linear("fc2", n.relu(n.linear("fc1", flat, 96, 7)), 7, 3));
    },
    free: ["a:6", "fc1:7"],
    frozen: ["fc2:3"],
  },
  "depthwise with multiplier on the network's input": {
    build(n) {
      // The inputs stay; of the four maps made of each, the same places may go in all three.
      const wide = n.cbr("dw", n.image(8), 3, 12, { group: 3 });
      n.classify(n.cbr("b", wide, 12, 5), 5);
    },
    free: ["dw:4", "b:5"],
  },
  "group normalisation written with InstanceNormalization": {
    build(n) {
      const a = n.layer("a", n.image(4), 3, 8);
      const flat = n.reshape(a, [0, 4, -1]);
      const normed = n.op("InstanceNormalization", [flat, n.weights("one", [4], 1), n.weights("zero", [4])]);
      const y = n.add(n.mul(n.reshape(normed, [-1, 8, 4, 4]), n.weights("g", [8, 1, 1])), n.weights("h", [8, 1, 1]));
      n.classify(n.relu(y), 8);
    },
    // Whole groups of two may go: each has statistics of its own.
    free: ["a:4"],
  },
  GroupNormalization: {
    build(n) {
      const parameters = n.opset < 21 ? 4 : 8; // once for each group, later for each channel
      const a = n.layer("a", n.image(4), 3, 8);
      const inputs = [a, n.weights("scale", [parameters], 1), n.weights("bias", [parameters])];
      const y = n.relu(n.op("GroupNormalization", inputs, { num_groups: attr.int(4) }));
      n.classify(n.layer("b", y, 8, 5), 5);
    },
    free: ["a:4", "b:5"],
    opsets: [18, 21],
  },
  "one group for all channels, written with InstanceNormalization": {
    build(n) {
      const a = n.layer("a", n.image(4), 3, 8);
      const flat = n.reshape(a, [0, 1, -1]);
      const normed = n.op("InstanceNormalization", [flat, n.weights("one", [1], 1), n.weights("zero", [1])]);
      n.classify(n.cbr("b", n.reshape(normed, [-1, 8, 4, 4]), 8, 5), 5);
    },
    free: ["b:5"],
    frozen: ["a:8", "fc:5"],
  },
};

for (const [name, { build, free, frozen = ["fc:5"], opsets = [9, 13, 18] }] of Object.entries(specials))
  t.test(name, async (t) => {
    for (const opset of opsets) {
      const net = new Layers(opset);
      build(net);
      const analyzed = analyzeGraph(net.model(opset), findOperator, { batch: 2 });
      const coupling = analyzeCoupling(analyzed, findOperator);
      const listed = (isFrozen: boolean) =>
        coupling.groups.filter((g) => (g.frozen !== undefined) === isFrozen).map((g) => `${g.name}:${g.size}`);
      t.same(listed(false), free, `opset ${opset}: may be pruned`);
      t.same(listed(true), frozen, `opset ${opset}: may not`);
      fc.assert(
        fc.property(fc.nat(), fc.constantFrom(0, 0.3), (seed, vanish) => {
          const plan = randomPlan(analyzed, coupling, seeded(seed), vanish);
          const rewritten = applyPlan(analyzed, coupling, plan, findOperator);
          return verifyRewrite(analyzed, coupling, plan, rewritten, { seed }).maxError < 1e-3;
        }),
        { numRuns: 10 },
      );
    }
  });
