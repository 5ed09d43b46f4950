import t from "tap";
import { compareOutputs } from "../../src/evaluation/index.js";
import { floatTensor } from "../../src/runtime/index.js";
import { fakeSession } from "./fake-session.js";

const feeds = (...rows: readonly number[][]) => ({ x: floatTensor(Float32Array.from(rows.flat()), [rows.length, 2]) });
const scaled = (factor: number, output = "y", input = "x") =>
  fakeSession(
    ["n", 2],
    (x) => ({
      [output]: floatTensor(
        (x.data as Float32Array).map((v) => v * factor),
        x.dims,
      ),
    }),
    { input, outputs: [output] },
  );

t.test("relative error over all samples, agreement of the top class", async (t) => {
  const other = fakeSession(["n", 2], (x) => ({
    y: floatTensor(
      (x.data as Float32Array).map((v, i) => (i === 1 ? v + 4 : v)),
      x.dims,
    ),
  }));
  const result = await compareOutputs(scaled(1), other, [
    { feeds: feeds([3, 0], [0, 4]), count: 2 },
    { feeds: feeds([0, 0], [0, 0]), count: 1 },
  ]);
  // First batch: the difference is 4 in one element of [3, 0, 0, 4]. Second batch: 4, in its first row only.
  t.strictSame(result, {
    format: "halp.comparison/1",
    outputs: [{ name: "y", relativeError: Math.sqrt(32 / 25), largest: 4, agreement: 1 / 3 }],
    samples: 3,
  });
});

t.test("a model agrees with itself; a scaled one differs by the scale", async (t) => {
  const batches = () => [{ feeds: feeds([1, 2], [-3, 4]), count: 2 }];
  t.match(await compareOutputs(scaled(1), scaled(1), batches()), { outputs: [{ relativeError: 0, agreement: 1 }] });
  const [half] = (await compareOutputs(scaled(1), scaled(0.5), batches())).outputs;
  t.ok(Math.abs((half?.relativeError ?? 0) - 0.5) < 1e-12);
});

t.test("outputs and inputs are matched by position where names differ", async (t) => {
  const result = await compareOutputs(scaled(1), scaled(1, "other", "in"), [{ feeds: feeds([1, 2]), count: 1 }]);
  t.match(result, { outputs: [{ name: "y", relativeError: 0 }] });
});

t.test("outputs of a detector have no agreement", async (t) => {
  const map = fakeSession(["n", 2], (x) => ({ y: floatTensor(x.data as Float32Array, [1, 1, x.data.length]) }));
  t.match(await compareOutputs(map, map, [{ feeds: feeds([1, 2], [3, 4]), count: 1 }]), {
    outputs: [{ agreement: null, relativeError: 0 }],
  });
});

t.test("models that do not match", async (t) => {
  const two = fakeSession(["n", 2], (x) => ({ y: x, z: x }), { outputs: ["y", "z"] });
  await t.rejects(compareOutputs(scaled(1), two, []), { code: "HALP_COMPARE_MODELS", exitCode: 2 });
  const wide = fakeSession(["n", 2], (x) => ({ y: floatTensor(new Float32Array(x.data.length * 2), [x.dims[0]!, 4]) }));
  await t.rejects(compareOutputs(scaled(1), wide, [{ feeds: feeds([1, 2]), count: 1 }]), {
    code: "HALP_COMPARE_MODELS",
  });
});
