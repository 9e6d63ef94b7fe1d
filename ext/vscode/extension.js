// The Tow extension: starts "tow lsp" and lets it serve the editor.

"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

/** @type {LanguageClient | undefined} */
let client;

/** Starts the language server, if the program can be found. */
async function start() {
  const command = vscode.workspace.getConfiguration("tow").get("path", "tow");
  client = new LanguageClient(
    "tow",
    "Tow",
    { command, args: ["lsp"] },
    {
      documentSelector: [{ scheme: "file", language: "tow" }],
      initializationOptions: { standardLibrary: true },
      synchronize: { fileEvents: vscode.workspace.createFileSystemWatcher("**/{*.tow,tow.toml}") },
    },
  );
  try {
    await client.start();
  } catch (err) {
    client = undefined;
    const choice = await vscode.window.showErrorMessage(
      `"${command} lsp" does not start: ${err.message}. Install tow, or say where it is in the setting tow.path.`,
      "Open the setting",
    );
    if (choice) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "tow.path");
    }
  }
}

async function stop() {
  const running = client;
  client = undefined;
  await running?.stop();
}

async function restart() {
  await stop();
  await start();
}

/** Shows the sources of the standard library, which are inside the program. */
const standardLibrary = {
  async provideTextDocumentContent(uri) {
    return client ? client.sendRequest("tow/source", { uri: uri.toString() }) : "";
  },
};

async function activate(context) {
  context.subscriptions.push(
    vscode.workspace.registerTextDocumentContentProvider("tow-std", standardLibrary),
    vscode.commands.registerCommand("tow.restart", restart),
    vscode.workspace.onDidChangeConfiguration((e) => e.affectsConfiguration("tow.path") && restart()),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
