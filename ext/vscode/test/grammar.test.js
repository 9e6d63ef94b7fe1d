// Reads sample.tow with the grammar and compares each token's innermost scope
// with grammar.golden. UPDATE=1 writes the golden anew.

"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { test, before } = require("node:test");
const oniguruma = require("vscode-oniguruma");
const { Registry, INITIAL, parseRawGrammar } = require("vscode-textmate");

const here = (...names) => path.join(__dirname, "..", ...names);

const grammars = {
  "source.tow": here("syntaxes", "tow.tmLanguage.json"),
  "markdown.tow.codeblock": here("syntaxes", "codeblock.tmLanguage.json"),
};

let registry;

before(async () => {
  const wasm = fs.readFileSync(path.join(path.dirname(require.resolve("vscode-oniguruma")), "onig.wasm"));
  await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
  registry = new Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (s) => new oniguruma.OnigString(s),
    }),
    loadGrammar: async (scope) =>
      grammars[scope] ? parseRawGrammar(fs.readFileSync(grammars[scope], "utf8"), grammars[scope]) : null,
  });
});

/** The tokens of a text: [line, text, scopes], white space left out. */
async function tokens(text, scope = "source.tow") {
  const grammar = await registry.loadGrammar(scope);
  const found = [];
  let stack = INITIAL;
  text.split("\n").forEach((line, number) => {
    const result = grammar.tokenizeLine(line, stack);
    stack = result.ruleStack;
    for (const t of result.tokens) {
      const part = line.slice(t.startIndex, t.endIndex);
      if (part.trim() !== "") {
        found.push([number + 1, part, t.scopes]);
      }
    }
  });
  return found;
}

test("the sample's scopes", async () => {
  const sample = fs.readFileSync(here("test", "sample.tow"), "utf8");
  const got = (await tokens(sample))
    .map(([line, part, scopes]) => `${line}\t${part.trim()}\t${scopes[scopes.length - 1]}`)
    .join("\n") + "\n";
  const golden = here("test", "grammar.golden");
  if (process.env.UPDATE) {
    fs.writeFileSync(golden, got);
  }
  assert.strictEqual(got, fs.readFileSync(golden, "utf8"));
});

test("what must hold of single texts", async () => {
  for (const [text, part, scope] of [
    ["let x = 2", "let", "storage.type.tow"],
    ["let x = 2h", "2h", "constant.numeric.duration.tow"],
    ["let x = 2 USD", "USD", "keyword.other.unit.currency.tow"],
    ["let x = xs |> map(f)", "|>", "keyword.operator.pipe.tow"],
    ["let x = \"a{b}c\"", "b", "variable.other.tow"],
    ["let x = \"a{b}c\"", "c", "string.quoted.double.tow"],
    ["let x = \"a\\{b\"", "\\{", "constant.character.escape.tow"],
    ["let x = \"open", "open", "string.quoted.double.tow"],
    ["let x = a.match", "match", "variable.other.member.tow"],
    ["let x = a // b", "// b", "comment.line.double-slash.tow"],
    ["  given A.b(_) shed", "shed", "keyword.other.outcome.tow"],
    ["f(shed)", "shed", "variable.other.tow"],
    ["let tested = 1", "tested", "variable.other.tow"],
    ["2026-01-31", "2026-01-31", "constant.other.date.tow"],
  ]) {
    const all = await tokens(text);
    const found = all.filter(([, p]) => p.trim() === part);
    assert.ok(
      found.some(([, , scopes]) => scopes[scopes.length - 1] === scope),
      `${part} in ${text}: ${JSON.stringify(all)}`,
    );
  }
});

test("a string that does not end leaves the next line alone", async () => {
  const all = await tokens('let x = "open {a\nlet y = 1');
  const second = all.filter(([line]) => line === 2);
  assert.deepStrictEqual(second[0].slice(1), ["let", ["source.tow", "storage.type.tow"]]);
});

test("every source in the repository ends outside strings", async () => {
  const roots = [here("..", "..", "internal", "lang", "stdlib", "std"), here("..", "..", "apps")];
  for (const root of roots) {
    for (const name of fs.readdirSync(root, { recursive: true })) {
      // The folder .tow, where a responder keeps its records, has no extension.
      if (path.extname(name) !== ".tow") {
        continue;
      }
      const all = await tokens(fs.readFileSync(path.join(root, name), "utf8"));
      const wrong = all.filter(([, , scopes]) => scopes.some((s) => s.startsWith("invalid")));
      assert.deepStrictEqual(wrong, [], name);
      assert.ok(!all[all.length - 1][2].includes("string.quoted.double.tow"), name);
    }
  }
});
