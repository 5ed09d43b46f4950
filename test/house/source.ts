/** Reading halp's own sources: which file imports what. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import ts from "typescript";

export interface Import {
  /** As written: "../errors.js", "node:fs", "commander". */
  readonly specifier: string;
  /** Path of the imported source file, relative to the root, with forward slashes; undefined for packages. */
  readonly file?: string;
  /** Gone after compiling. */
  readonly typeOnly: boolean;
}

/** All TypeScript sources under a folder, relative to the root, with forward slashes. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile() && f.name.endsWith(".ts"))
    .map((f) => join(f.parentPath, f.name).split(sep).join("/"))
    .sort();
}

/** Static imports, re-exports, dynamic imports and import types of a file: all that binds it to another. */
export function importsOf(file: string): Import[] {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const add = (node: ts.Node | undefined, typeOnly = false) => {
    if (!node || !ts.isStringLiteralLike(node)) return;
    const specifier = node.text;
    if (!specifier.startsWith(".")) found.push({ specifier, typeOnly });
    else {
      const target = relative(".", resolve(dirname(file), specifier));
      found.push({ specifier, typeOnly, file: target.split(sep).join("/").replace(/\.js$/, ".ts") });
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0]);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    // new URL("./worker.js", import.meta.url): how workers and child processes are named.
    else if (
      ts.isNewExpression(node) &&
      node.expression.getText() === "URL" &&
      node.arguments?.[1]?.getText() === "import.meta.url" &&
      /\.js["'`]$/.test(node.arguments[0]?.getText() ?? "")
    )
      add(node.arguments[0]);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
