import fc from "fast-check";
import t from "tap";
import { keyDigest, type LayerConfig, layerKey } from "../../src/latency/index.js";

const conv: LayerConfig = {
  opset: 13,
  inputs: [{ dtype: "float32", dims: [64, 16, 32, 32], layout: "blocked" }],
  constants: [
    { dtype: "float32", dims: [16, 16, 3, 3] },
    { dtype: "float32", dims: [16], overridable: true },
  ],
  nodes: [
    {
      opType: "Conv",
      domain: "",
      attributes: { pads: ["ints", [1, 1, 1, 1]], group: ["int", 1], kernel_shape: ["ints", [3, 3]] },
      inputs: ["i0", "c0", "c1"],
      outputs: 1,
    },
    { opType: "Relu", domain: "", attributes: {}, inputs: ["n0"], outputs: 1 },
  ],
  results: [{ value: "n1", layout: "blocked" }],
};

t.test("the key is the documented text", (t) => {
  t.equal(layerKey(conv), "13|f32[64,16,32,32]b|f32[16,16,3,3] f32[16]!|Conv(i0,c0,c1){pads=[1,1,1,1]} Relu(n0)|n1b");
  t.match(keyDigest(layerKey(conv)), /^[0-9a-f]{16}$/);
  t.end();
});

t.test("the order of attributes and what holds by default do not count", (t) => {
  const [first, relu] = conv.nodes as [(typeof conv.nodes)[0], (typeof conv.nodes)[0]];
  const attributes = {
    strides: ["ints", [1, 1]],
    dilations: ["ints", [1, 1]],
    auto_pad: ["string", "NOTSET"],
    pads: ["ints", [1, 1, 1, 1]],
  } as const;
  t.equal(layerKey({ ...conv, nodes: [{ ...first, attributes }, relu] }), layerKey(conv));
  t.end();
});

t.test("whatever the latency may depend on changes the key", (t) => {
  const dims = fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 4, maxLength: 4 });
  const config = fc.record({
    dims,
    weights: dims,
    stride: fc.integer({ min: 1, max: 3 }),
    blocked: fc.boolean(),
    fed: fc.boolean(),
    open: fc.subarray([0, 2, 3]),
    opset: fc.integer({ min: 7, max: 21 }),
  });
  const make = (c: typeof config extends fc.Arbitrary<infer T> ? T : never): LayerConfig => ({
    opset: c.opset,
    inputs: [
      {
        dtype: "float32",
        dims: c.dims,
        layout: c.blocked ? "blocked" : "plain",
        open: c.open,
        ...(c.fed ? { fed: true as const } : {}),
      },
    ],
    constants: [{ dtype: "float32", dims: c.weights }],
    nodes: [
      {
        opType: "Conv",
        domain: "",
        attributes: { strides: ["ints", [c.stride, c.stride]] },
        inputs: ["i0", "c0"],
        outputs: 1,
      },
    ],
    results: [{ value: "n0", layout: "plain" }],
  });
  fc.assert(
    fc.property(config, config, (a, b) => {
      const same = JSON.stringify(a) === JSON.stringify(b);
      return (layerKey(make(a)) === layerKey(make(b))) === same;
    }),
  );
  t.end();
});
