// W1 on workerd: writes its configuration, starts it, and says where it listens.
// The process is workerd's own in the end: this one only starts it and stays.
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const dir = fs.mkdtempSync(path.join(os.tmpdir(), "bench-workerd-"));
const script = fs.readFileSync(process.argv[2], "utf8");
fs.writeFileSync(path.join(dir, "worker.js"), `${script}
export default {
  async fetch(request) {
    const answer = JSON.stringify(best(JSON.parse(await request.text())));
    return new Response(answer, { headers: { "Content-Type": "application/json" } });
  },
};
`);
const probe = net.createServer().listen(0, "127.0.0.1", () => {
  const port = probe.address().port;
  probe.close(() => begin(port));
});

function begin(port) {
  fs.writeFileSync(path.join(dir, "config.capnp"), `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (modules = [(name = "worker.js", esModule = embed "worker.js")], compatibilityDate = "2026-01-01"))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
`);
  const bin = path.join(here, "node_modules/workerd/bin/workerd");
  const child = spawn(bin, ["serve", path.join(dir, "config.capnp")], { stdio: ["ignore", "inherit", "inherit"] });
  const end = () => { child.kill("SIGKILL"); fs.rmSync(dir, { recursive: true, force: true }); process.exit(0); };
  process.stdin.resume();
  process.stdin.on("end", end);
  child.on("exit", end);
  const wait = () => {
    const s = net.connect(port, "127.0.0.1", () => { s.end(); console.log(`pid ${child.pid}`); console.log(`listening 127.0.0.1:${port}`); });
    s.on("error", () => setTimeout(wait, 50));
  };
  wait();
}
