/** A session that computes in JavaScript, so that the numbers expected are known. */
import type { Dim } from "../../src/graph/ir.js";
import type { Outputs, RuntimeTensor, Session } from "../../src/runtime/index.js";

export function fakeSession(
  inputDims: readonly Dim[],
  compute: (input: RuntimeTensor) => Outputs,
  names: { readonly input?: string; readonly outputs?: readonly string[] } = {},
): Session & { readonly seen: (readonly number[])[] } {
  const input = names.input ?? "x";
  const outputs = names.outputs ?? ["y"];
  const seen: (readonly number[])[] = [];
  return {
    seen,
    inputNames: [input],
    outputNames: outputs,
    inputs: [{ name: input, dtype: "float32", dims: inputDims }],
    outputs: outputs.map((name) => ({ name, dtype: "float32", dims: [] })),
    run: (feeds) => {
      const tensor = feeds[input];
      if (!tensor) throw new Error(`no input ${input}`);
      seen.push(tensor.dims);
      return compute(tensor);
    },
    endProfiling: () => {},
    dispose: () => {},
    [Symbol.dispose]: () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
