/** Completion of commands, options and the values of those that take one of a few: as text that a shell reads. */
import type { Option } from "commander";
import type { CommandSpec } from "./command.js";
import { namesOf } from "./command.js";
import { makeOption } from "./options.js";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

export function completionScript(shell: Shell, commands: readonly CommandSpec[]): string {
  return shell === "fish" ? forFish(commands) : shell === "zsh" ? forZsh(commands) : forBash(commands);
}

const optionsOf = (spec: CommandSpec): readonly Option[] => namesOf(spec).map(makeOption);

/** Both spellings, where there are two. */
const flagsOf = (option: Option): readonly string[] =>
  [option.short, option.long].filter((flag) => flag !== undefined && flag !== null) as string[];

/** "table" -> show, merge, ...: the second words of commands of two. */
function secondWords(commands: readonly CommandSpec[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { name } of commands) {
    const [first = "", second] = name.split(" ");
    if (second !== undefined) found.set(first, [...(found.get(first) ?? []), second]);
  }
  return found;
}

const firstWords = (commands: readonly CommandSpec[]) => [
  ...new Set(commands.map((c) => c.name.split(" ")[0] as string)),
  "help",
];

function forBash(commands: readonly CommandSpec[]): string {
  const all = new Map(commands.flatMap(optionsOf).flatMap((o) => flagsOf(o).map((flag) => [flag, o] as const)));
  const values = [...all].filter(([, o]) => o.argChoices !== undefined);
  const takesPath = [...all].filter(([, o]) => o.argChoices === undefined && (o.required || o.optional));
  const nested = secondWords(commands);
  return `# bash completion of halp: halp completion bash > ~/.local/share/bash-completion/completions/halp
_halp() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${firstWords(commands).join(" ")} --help --version" -- "$cur"))
    return
  fi
  case "$prev" in
${values.map(([flag, o]) => `    ${flag}) COMPREPLY=($(compgen -W "${o.argChoices?.join(" ")}" -- "$cur")); return ;;`).join("\n")}
    ${takesPath.map(([flag]) => flag).join("|")}) return ;;
  esac
  local command="\${COMP_WORDS[1]}"
  case "$command" in
${[...nested].map(([first, seconds]) => `    ${first}) if [ "$COMP_CWORD" -eq 2 ]; then COMPREPLY=($(compgen -W "${seconds.join(" ")}" -- "$cur")); return; fi; command="$command \${COMP_WORDS[2]}" ;;`).join("\n")}
    completion) case "$cur" in -*) ;; *) COMPREPLY=($(compgen -W "${shells.join(" ")}" -- "$cur")); return ;; esac ;;
  esac
  case "$command" in
${commands.map((c) => `    "${c.name}") words="${[...optionsOf(c).flatMap(flagsOf), "--help"].join(" ")}" ;;`).join("\n")}
  esac
  # Anything that is no option is a file: what the shell does by default.
  case "$cur" in -*) COMPREPLY=($(compgen -W "$words" -- "$cur")) ;; esac
}
complete -o default -F _halp halp
`;
}

/** zsh runs bash's. */
function forZsh(commands: readonly CommandSpec[]): string {
  return `#compdef halp
# zsh completion of halp: eval "$(halp completion zsh)" in ~/.zshrc, behind compinit
autoload -U +X bashcompinit && bashcompinit
${forBash(commands).replace(/^# bash.*\n/, "")}`;
}

function forFish(commands: readonly CommandSpec[]): string {
  const quoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = ["# fish completion of halp: halp completion fish > ~/.config/fish/completions/halp.fish"];
  const first = firstWords(commands).join(" ");
  lines.push(`complete -c halp -n "not __fish_seen_subcommand_from ${first}" -f -a ${quoted(first)}`);
  for (const [word, seconds] of secondWords(commands))
    lines.push(
      `complete -c halp -n "__fish_seen_subcommand_from ${word}; and not __fish_seen_subcommand_from ${seconds.join(" ")}" -f -a ${quoted(seconds.join(" "))}`,
    );
  lines.push(`complete -c halp -n "__fish_seen_subcommand_from completion" -f -a ${quoted(shells.join(" "))}`);
  for (const spec of commands) {
    const seen = spec.name
      .split(" ")
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join("; and ");
    for (const option of optionsOf(spec)) {
      const short = option.short ? ` -s ${option.short.slice(1)}` : "";
      const value = option.argChoices ? ` -x -a ${quoted(option.argChoices.join(" "))}` : option.required ? " -r" : "";
      lines.push(
        `complete -c halp -n "${seen}"${short} -l ${option.long?.slice(2)}${value} -d ${quoted(option.description)}`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}
