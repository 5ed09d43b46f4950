/** docs/commands.md tells of every command and every option. */
import { readFileSync } from "node:fs";
import t from "tap";
import { commonOptions, makeOption } from "../../src/cli/options.js";
import { commands } from "../../src/cli/run-cli.js";

const sections = readFileSync("docs/commands.md", "utf8").split(/^## /m);

t.test("common options", async (t) => {
  for (const name of commonOptions) t.match(sections[0], `\`${makeOption(name).long}`, name);
});

for (const command of commands) {
  t.test(`halp ${command.name}`, async (t) => {
    const section = sections.find((s) => s.startsWith(`halp ${command.name}`)) ?? "";
    t.not(section, "", "has a section");
    for (const name of command.options) t.match(section, `\`${makeOption(name).long}`, `tells of ${name}`);
    for (const flag of section.matchAll(/`(--[a-z-]+)/g)) {
      const known = [...command.options, ...commonOptions, "config" as const].some(
        (name) => makeOption(name).long === flag[1],
      );
      t.ok(known, `${flag[1]} is an option of halp ${command.name}`);
    }
  });
}
