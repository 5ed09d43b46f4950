import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { HalpError } from "../../errors.js";
import { parseJson } from "../../json.js";
import type { CommandSpec } from "../command.js";
import { printable } from "../style.js";

export const importCommand: CommandSpec = {
  name: "import",
  args: [
    ["<MODEL>", "pruned ONNX file"],
    ["<WEIGHTS>", "weights trained elsewhere: .safetensors or .npz, by the names of the model's initialisers"],
  ],
  summary: "put weights that were trained elsewhere into a pruned network, by name",
  options: ["output", "names", "partial"],
  examples: [
    "halp import small.onnx trained.safetensors -o trained.onnx",
    "halp import small.onnx trained.npz --names names.json --partial",
  ],
  run: async ([path = "", weights = ""], options, { print, warn }) => {
    const [{ importWeights, readArrays }, { readModel, validateModel, writeModel }, { checkWritable }] =
      await Promise.all([
        import("../../exchange/index.js"),
        import("../../onnx/index.js"),
        import("../../pipeline/files.js"),
      ]);
    const output = options.output ?? `${basename(path).replace(/\.onnx$/, "")}.trained.onnx`;
    await checkWritable(output);
    const model = await readModel(path);
    validateModel(model, { file: path });
    const {
      taken,
      left,
      unused,
      model: trained,
    } = importWeights(model, await readArrays(weights), {
      ...(options.names === undefined ? {} : { names: await readNames(options.names) }),
      ...(options.partial === undefined ? {} : { partial: options.partial }),
    });
    await writeModel(trained, output);
    // PyTorch's counter of batches is in every state dict, and nothing that a network computes with.
    const passedOver = unused.filter((name) => !name.endsWith(".num_batches_tracked"));
    if (passedOver.length > 0)
      warn(
        `The network has no place for ${passedOver.length} arrays of the file: ${passedOver.slice(0, 5).map(printable).join(", ")}.`,
      );
    print({ format: "halp.import/1", model: path, weights, output, taken, left, unused }, () =>
      [
        `taken       ${taken.length} tensors`,
        ...(left.length === 0
          ? []
          : [`left        ${left.length} weights as they were: ${left.slice(0, 5).map(printable).join(", ")}`]),
        `written     ${output}`,
      ].join("\n"),
    );
    return 0;
  },
};

/** @throws HalpError HALP_WEIGHTS_NAMES where it is no JSON object of texts */
async function readNames(file: string): Promise<Record<string, string>> {
  const refuse = (why: string, cause?: unknown) =>
    new HalpError(
      "HALP_WEIGHTS_NAMES",
      `Cannot read names from ${file}: ${why}. Give a JSON object: {"initialiser": "name in the file of weights"}.`,
      { file, cause },
    );
  let names: unknown;
  try {
    names = parseJson(await readFile(file, "utf8"));
  } catch (cause) {
    throw refuse((cause as Error).message, cause);
  }
  if (typeof names !== "object" || names === null || Array.isArray(names)) throw refuse("it is no object");
  const entries = Object.entries(names);
  if (!entries.every((e): e is [string, string] => typeof e[1] === "string")) throw refuse("a value is no text");
  return Object.fromEntries(entries);
}
