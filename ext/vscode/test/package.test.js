// Checks that package.json holds together: what it names is there, and what the
// extension uses is declared.

"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const Module = require("node:module");
const { test } = require("node:test");

const root = path.join(__dirname, "..");
const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));

test("every file that package.json names is there, and is JSON where it should be", () => {
  const { languages, grammars } = manifest.contributes;
  const named = [manifest.main, ...languages.map((l) => l.configuration), ...grammars.map((g) => g.path)];
  for (const name of named) {
    const text = fs.readFileSync(path.join(root, name), "utf8");
    if (name.endsWith(".json")) {
      JSON.parse(text);
    }
  }
  for (const g of grammars) {
    const grammar = JSON.parse(fs.readFileSync(path.join(root, g.path), "utf8"));
    assert.strictEqual(grammar.scopeName, g.scopeName);
  }
});

test("every include of a grammar is in its repository", () => {
  for (const g of manifest.contributes.grammars) {
    const text = fs.readFileSync(path.join(root, g.path), "utf8");
    const { repository } = JSON.parse(text);
    for (const [, name] of text.matchAll(/"include": "#([^"]+)"/g)) {
      assert.ok(repository[name], `${g.path}: #${name}`);
    }
  }
});

test("the problem matcher reads what tow check prints", () => {
  const [first, second] = manifest.contributes.problemMatchers[0].pattern.map((p) => new RegExp(p.regexp));
  assert.deepStrictEqual([...first.exec("error[TW0301]: `half` answers `String`")].slice(1), ["error", "TW0301", "`half` answers `String`"]);
  assert.deepStrictEqual([...first.exec("error: the project has no name")].slice(1), ["error", undefined, "the project has no name"]);
  assert.deepStrictEqual([...second.exec("  --> inner/two.tow:2:3")].slice(1), ["inner/two.tow", "2", "3"]);
});

test("the extension starts tow lsp, and says so when it cannot", async () => {
  const events = [];
  const settings = { path: "tow-of-this-test" };
  const disposable = { dispose() {} };
  const vscode = {
    workspace: {
      getConfiguration: () => ({ get: (key, otherwise) => settings[key] ?? otherwise }),
      createFileSystemWatcher: (pattern) => pattern,
      registerTextDocumentContentProvider: (scheme, provider) => (events.push(scheme), (vscode.provider = provider), disposable),
      onDidChangeConfiguration: () => disposable,
    },
    window: { showErrorMessage: async (message) => void events.push(message) },
    commands: { registerCommand: (name) => (events.push(name), disposable), executeCommand: async () => {} },
  };
  class LanguageClient {
    constructor(id, name, server, client) {
      Object.assign(this, { server, client });
    }
    async start() {
      events.push([this.server.command, ...this.server.args].join(" "));
      if (settings.fails) {
        throw new Error("not found");
      }
    }
    async stop() {
      events.push("stopped");
    }
    async sendRequest(method, params) {
      return `${method} ${params.uri}`;
    }
  }
  const load = Module._load;
  Module._load = (name, ...rest) =>
    name === "vscode" ? vscode : name === "vscode-languageclient/node" ? { LanguageClient } : load(name, ...rest);
  try {
    const extension = require(path.join(root, manifest.main));
    const context = { subscriptions: [] };
    await extension.activate(context);
    assert.deepStrictEqual(events, ["tow-std", "tow.restart", "tow-of-this-test lsp"]);
    assert.strictEqual(await vscode.provider.provideTextDocumentContent("tow-std:/std/list.tow"), "tow/source tow-std:/std/list.tow");
    await extension.deactivate();
    assert.strictEqual(events.at(-1), "stopped");
    settings.fails = true;
    await extension.activate(context);
    assert.match(events.at(-1), /"tow-of-this-test lsp" does not start: not found\. .*tow\.path/);
    assert.strictEqual(await vscode.provider.provideTextDocumentContent("tow-std:/std/list.tow"), "");
  } finally {
    Module._load = load;
  }
  for (const command of manifest.contributes.commands) {
    assert.ok(events.includes(command.command), command.command);
  }
  assert.ok("tow.path" in manifest.contributes.configuration.properties);
});

test("the extension's own dependencies are declared", () => {
  const source = fs.readFileSync(path.join(root, manifest.main), "utf8");
  for (const [, name] of source.matchAll(/require\("([^".][^"]*)"\)/g)) {
    const pkg = name.split("/")[0];
    assert.ok(pkg === "vscode" || manifest.dependencies[pkg], name);
  }
  require.resolve("vscode-languageclient/node");
});
