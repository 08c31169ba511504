"use strict";

const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = async () => {
  const command = workspace.getConfiguration("tusk").get("command");
  client = new LanguageClient("tusk", "Tusk", { command, args: ["lsp"] }, { documentSelector: [{ language: "tusk" }] });
  await client.start();
};

exports.deactivate = () => client?.stop();
