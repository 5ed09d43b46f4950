import { HalpError } from "../../errors.js";
import type { CommandSpec } from "../command.js";
import { completionScript, type Shell, shells } from "../completion.js";

export const completionCommand: CommandSpec = {
  name: "completion",
  args: [["<SHELL>", shells.join(", ")]],
  summary: "print what makes a shell complete commands, options and their values",
  options: [],
  examples: [
    "halp completion bash > ~/.local/share/bash-completion/completions/halp",
    'eval "$(halp completion zsh)"',
    "halp completion fish > ~/.config/fish/completions/halp.fish",
  ],
  run: async ([shell = ""], _options, { print }) => {
    if (!shells.includes(shell as Shell))
      throw new HalpError("HALP_SHELL", `There is completion for ${shells.join(", ")}; came "${shell}".`);
    const { commands } = await import("../run-cli.js");
    const script = completionScript(shell as Shell, commands);
    print({ format: "halp.completion/1", shell, script }, () => script.trimEnd());
    return 0;
  },
};
